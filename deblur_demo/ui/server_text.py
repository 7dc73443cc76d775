"""What the server refuses, to a visitor or to whoever starts it: as errors take it, each in three parts."""

GPU_TOO_LONG = (
    "this would take about {seconds} s of the shared GPU",
    "at most {limit} s for one photo or clip",
    "Take fewer iterations, a lighter model, a smaller picture or a shorter part",
)
TOO_LONG = (
    "this job has had its {minutes:g} min",
    "no more on this server, where others wait",
    "Take fewer iterations, a lighter model, a smaller picture or a shorter part",
)
NO_SHARED_GPU = (
    "there is no shared GPU for this job: {reason}",
    "a share that is left, and a GPU that is free",
    "Try again later, or run the app on your own machine",
)
TOO_MANY_JOBS = (
    "{count} of your jobs are waiting or running",
    "at most {limit} at a time",
    "Wait until one is done, or cancel one",
)
TOO_FEW_VALUES = (
    "{count} values came",
    "{needed}, as /gradio_api/info lists them",
    "Send all of them in their order",
)
TOO_MUCH = (
    "the request is too long",
    "at most {limit} MB, files apart",
    "Upload files at /gradio_api/upload, and send what it answers",
)
NO_MCP = (
    "the MCP server needs a package that is not installed: {module}",
    "an environment with the extra",
    'Install it: python -m pip install -r requirements-mcp.txt (it is "gradio[mcp]=={version}.*")',
)

CLOSED = "This app does not use this address."
