// Posts the answer to the app, as if its button had been pressed.
document.forms[0].submit();
