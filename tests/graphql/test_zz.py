import time, gc, asyncio
from hub.access.service import Role
from hub.graphql.explorer import examples
from tests.graphql.world import *
Q="{ accounts(first: 50) { nodes { id name domain owner health { band points coverage } timeline(first: 20) { nodes { id kind occurredAt title flow } } } } }"
async def test_perf(client):
    await populate(client.kit, 60, events=24)
    for name,q,v in (("50x20",Q,{}),("page",examples()["account_page"],{"account":f"acc_{key('account',1).hex}"}),("portfolio",examples()["portfolio"],{}),("viewer","{viewer{role}}",{})):
        ts=[];cs=[]
        for _ in range(10):
            t=time.perf_counter(); c=time.process_time()
            r=await client.http.post("/graphql",json={"query":q,"variables":v},headers=client.headers(Role.CSM))
            ts.append(time.perf_counter()-t); cs.append(time.process_time()-c)
        assert "errors" not in r.json()
        print(name, [round(x*1000,1) for x in sorted(ts)], "cpu", round(sorted(cs)[5]*1000,1), len(r.content))
    t=time.perf_counter()
    await asyncio.gather(*(client.http.post("/graphql",json={"query":examples()["portfolio"]},headers=client.headers(Role.CSM)) for _ in range(50)))
    print("50 portfolios at once", time.perf_counter()-t)
