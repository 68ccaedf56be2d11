from __future__ import annotations

import asyncio
import warnings

import pytest

from tests.gateway import Gateway

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from tincan import Activity, Agent, AgentAccount, RemoteLRS, StateDocument, Statement, Verb


@pytest.mark.filterwarnings("ignore")
async def test_tincan_stores_and_reads_statements_and_states(gateway: Gateway) -> None:
    await gateway.client("tincan", "all")
    endpoint = f"{gateway.url}/v1/xapi/"
    lrs = RemoteLRS(version="1.0.1", endpoint=endpoint, username="tincan", password="secret of tincan")
    agent = Agent(name="Ana", account=AgentAccount(home_page="https://lms.example.org", name="ana"))
    activity = Activity(id="https://example.org/course")

    def use() -> None:
        sent = Statement(actor=agent, verb=Verb(id="https://example.org/did"), object=activity)
        saved = lrs.save_statement(sent)
        assert saved.success, saved.data
        read = lrs.retrieve_statement(saved.content.id)
        assert read.success
        assert read.content.verb.id == "https://example.org/did"
        listed = lrs.query_statements({"agent": agent, "limit": 1})
        assert listed.success
        assert [item.id for item in listed.content.statements] == [saved.content.id]
        state = StateDocument(activity=activity, agent=agent, id="bookmark", content=bytearray(b"page 3"))
        assert lrs.save_state(state).success
        kept = lrs.retrieve_state(activity, agent, "bookmark")
        assert bytes(kept.content.content) == b"page 3"
        assert lrs.delete_state(kept.content).success

    await asyncio.to_thread(use)
