// Serves the guide's Express example on a port of this machine.
import { app } from "./express_app.mjs";

app.listen(Number(process.argv[2]), "127.0.0.1");
