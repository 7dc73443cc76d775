"""Words that ``page.js`` puts on the page; it is called with them."""

WORDS = {
    "unseen": "{name}: no preview in this browser",
    # Why there is no picture of a camera, by the name of the browser's error.
    "camera": {
        "NotFoundError": "No camera was found. Connect one, then click here again.",
        "NotAllowedError": "The browser does not allow it. Allow the camera beside the address, then click here again.",
        "NotReadableError": "The camera does not answer. Close what else uses it, then click here again.",
    },
}
