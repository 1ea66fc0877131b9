"""An endpoint that takes whatever is posted to it."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub import sdk


class Double(sdk.testing.Vendor):
    """Answers 204, as receivers do."""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hooks/hub", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        self.effects.append(request.headers["webhook-id"])
        return Response(status_code=204)
