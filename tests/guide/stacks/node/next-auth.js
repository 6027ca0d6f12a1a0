// Stands for Next.js' own module: hands the configuration on, to be served by Express.
export default (config) => ({ handlers: { ...config, trustHost: true } });
