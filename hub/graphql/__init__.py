"""The GraphQL API: what screens read and do, over every room's services.

The promises it keeps (ids, pages, errors, limits) are in `schema/README.md`; the schema is `schema/schema.graphql`.
A request goes: `http` or `websocket` → `documents` (limits, parsing, validation) → the resolvers in `types`, which ask
the rooms through `context`, many keys at once → `errors`. Nothing here decides what a viewer may see: the rooms do.
"""
