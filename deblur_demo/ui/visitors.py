"""How many jobs one visitor may have waiting and running, counted where jobs join the queue.

A visitor is a page that is open, or a client of the API: each has a session. Bare HTTP calls have
none, and stand for their address; all who come by MCP share the session of its server. It keeps
one visitor from taking all the places by mistake. Against ill will there is the queue's length.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fastapi import HTTPException, Request, status

from deblur_demo import settings
from deblur_demo.errors import LimitError
from deblur_demo.ui import server_text, text

if TYPE_CHECKING:
    import gradio as gr
    from gradio.data_classes import PredictBodyInternal
    from gradio.queueing import Event, Queue


def limit_jobs(page: gr.Blocks) -> None:
    """Refuse what is too much, with the status 429; everything in the page's queue is a job.

    Args:
        page: built, with its queue.
    """
    queue, most = page._queue, settings.VISITOR_JOBS.current()
    join = queue.push

    async def push(body: PredictBodyInternal, request: Request, username: str | None) -> tuple:
        visitor = body.session_hash or _address(request)
        count = _jobs(queue)[visitor]
        if count >= most:
            refusal = LimitError(*text.fill(server_text.TOO_MANY_JOBS, count=count, limit=most))
            raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, str(refusal))
        return await join(body, request, username)

    queue.push = push


def _jobs(queue: Queue) -> Counter[str]:
    """Visitor -> jobs waiting or running."""
    waiting = [event for line in queue.event_queue_per_concurrency_id.values() for event in line.queue]
    running = [event for batch in queue.active_jobs if batch for event in batch]
    return Counter(map(_visitor, {event._id: event for event in (*waiting, *running)}.values()))


def _visitor(event: Event) -> str:
    # An event without a session is given its own name for one.
    return event.session_hash if event.session_hash != event._id else _address(event.request)


def _address(request: Request) -> str:
    return request.client.host if request.client else "nowhere"
