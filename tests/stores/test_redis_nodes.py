"""Steps on a cluster: many share a connection, and each finds the node that serves its slot."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

import pytest
from redis import Redis as Plain
from redis.asyncio import RedisCluster

from broker.core.errors import StoreUnavailable
from broker.stores.redis import connect
from broker.stores.redis.nodes import ClusterLanes
from broker.stores.redis.replicas import evaluate_and_wait
from broker.stores.redis.scripts import Steps, script
from tests.outer import PROGRAMS, need
from tests.ports import free_port
from tests.stores.redis_servers import ask, plain, wait_for

SERVERS = [
    pytest.param(marker, marks=getattr(pytest.mark, marker))
    for marker in ("redis_server", "valkey_server")
]
KEY = "{a}key"
SLOT = 15495  # of what is in braces


class Two:
    """A cluster of two nodes; the first has the slot in the beginning. A third serves nothing."""

    def __init__(self, stack: ExitStack, marker: str) -> None:
        self._stack = stack
        self._binary = need(PROGRAMS[marker][0], marker)
        self.ports = [self._start(free_port()) for _ in range(2)]
        first, second = self.ports
        ask(first, "CLUSTER ADDSLOTSRANGE 8192 16383")
        ask(second, "CLUSTER ADDSLOTSRANGE 0 8191")
        self.empty = self._start(free_port())
        for port in (second, self.empty):
            with Plain(port=port, decode_responses=True) as node:
                bus = dict(node.config_get("cluster-port"))["cluster-port"]
            ask(first, f"CLUSTER MEET 127.0.0.1 {port} {bus}")
        self.all = [*self.ports, self.empty]
        self.names = [str(self.say(port, "CLUSTER", "MYID")) for port in self.all]
        for port in self.all:  # each knows the others, and who has the slots
            wait_for(lambda at=port: self._knows(at))

    def _start(self, port: int) -> int:
        words = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
        words += ["--cluster-allow-replica-migration", "no"]  # without a slot it stays a primary
        self._stack.enter_context(plain(self._binary, *words, port=port))
        return port

    def _knows(self, port: int) -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
            line.sendall(b"CLUSTER INFO\r\n")
            told = line.recv(65536)
        return b"cluster_state:ok" in told and b"cluster_known_nodes:3" in told

    def say(self, port: int, *words: str) -> object:
        """Run a command on a node."""
        with Plain(port=port, decode_responses=True) as node:
            return node.execute_command(*words)

    def connections(self) -> int:
        """Return how many connections the first node has been asked for."""
        with Plain(port=self.ports[0]) as node:
            return int(node.info("stats")["total_connections_received"])

    def hang_up(self) -> None:
        """Close every connection of clients to the first node."""
        self.say(self.ports[0], "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def clear(self) -> None:
        """Have nothing in it, and the first node serve the slot."""
        for port in self.all:
            self.say(port, "FLUSHALL")
            self.say(port, "CLUSTER", "SETSLOT", str(SLOT), "STABLE")
        self.move(0)

    def move(self, to: int) -> None:
        """Give the slot, with nothing in it, to a node."""
        while not self._is_moved(to):  # a word that was under way may have taken it back
            for port in (self.all[to], *self.all):
                self.say(port, "CLUSTER", "SETSLOT", str(SLOT), "NODE", self.names[to])

    def _is_moved(self, to: int) -> bool:
        """Whether every node says so."""
        told = [self.say(port, "CLUSTER", "SLOTS") for port in self.all]
        owners = {
            ends[2][1] for one in told for ends in one if ends[0] <= SLOT <= ends[1]
        }  # the port of each slot's first node
        return owners == {self.all[to]} and len(told) == 3

    def begin_to_move(self, to: int = 1) -> None:
        """Have the first node send for what it has not in the slot to another."""
        self.say(self.all[to], "CLUSTER", "SETSLOT", str(SLOT), "IMPORTING", self.names[0])
        self.say(self.ports[0], "CLUSTER", "SETSLOT", str(SLOT), "MIGRATING", self.names[to])

    def carry(self, to: int) -> bool:
        """Carry what the first node has in the slot, a key after the other; whether it had one."""
        keys = self.say(self.ports[0], "CLUSTER", "GETKEYSINSLOT", str(SLOT), "1")
        assert isinstance(keys, list)
        for key in keys:
            self.say(self.ports[0], "MIGRATE", "127.0.0.1", str(self.all[to]), key, "0", "1000")
        return bool(keys)


@pytest.fixture(scope="module", params=SERVERS)
def pair(request: pytest.FixtureRequest) -> Iterator[Two]:
    """A cluster of this file's own."""
    with ExitStack() as stack:
        yield Two(stack, request.param)


@pytest.fixture
def two(pair: Two) -> Two:
    """The same with nothing in it."""
    pair.clear()
    return pair


@pytest.fixture
async def client(two: Two) -> AsyncIterator[RedisCluster]:
    """What has not connected yet, but for looking who serves which slot."""
    made = connect(f"redis+cluster://127.0.0.1:{two.ports[0]}")
    assert isinstance(made, RedisCluster)
    yield made
    await made.aclose()


async def test_a_crowd_shares_two_connections(two: Two, client: RedisCluster) -> None:
    """A connection for each, with its greetings, would keep the first of them waiting for long."""
    steps = Steps(client)
    await client.initialize()
    before = two.connections()
    keys = [f"{{a}}{n}" for n in range(60)]
    await asyncio.gather(*(steps.command("SET", key, n) for n, key in enumerate(keys)))
    answers = await asyncio.gather(*(steps.command("GET", key) for key in keys))
    assert answers == [str(n) for n in range(60)]
    assert two.connections() - before <= 2 + 1  # and this one


async def test_a_slot_that_moved_is_found(two: Two, client: RedisCluster) -> None:
    """The first that meets the old node follows; those after it go to the new one directly."""
    steps = Steps(client)
    assert await steps.command("GET", KEY) is None
    two.move(1)
    await asyncio.gather(*(steps.command("SET", KEY, "new") for _ in range(8)))
    first, second = (client.get_node("127.0.0.1", port) for port in two.ports)
    assert client.get_node_from_key(KEY) == second
    assert first != second
    assert await steps.command("GET", KEY) == "new"
    assert two.say(two.ports[1], "GET", KEY) == "new"


async def test_a_slot_that_is_moving_is_followed(two: Two, client: RedisCluster) -> None:
    """What the old node has no more is asked of the new one, without taking it for the owner."""
    steps = Steps(client)
    guessed = script("guess_count")
    await steps.run(guessed, (KEY,), "60", "1")
    two.begin_to_move()
    assert (await steps.run(guessed, (KEY,), "60", "1"))[0] == 2, "it has not moved"
    answer = await steps.run(guessed, ("{a}other",), "60", "1")
    assert answer[0] == 1
    owner = client.get_node_from_key(KEY)
    assert owner is not None
    assert owner.port == two.ports[0]


async def test_a_node_that_no_table_names_is_followed_to(two: Two, client: RedisCluster) -> None:
    """It is being filled: until it has its first slot whole, only redirects tell of it."""
    steps = Steps(client)
    await steps.command("SET", KEY, "1")
    two.begin_to_move(2)
    await asyncio.gather(*(steps.command("SET", f"{{a}}{n}", n) for n in range(20)))
    assert two.say(two.empty, "DBSIZE") == 20
    owner = client.get_node_from_key(KEY)
    assert owner is not None
    assert owner.port == two.ports[0]
    assert await steps.command("GET", KEY) == "1"


@pytest.mark.parametrize("to", [1, 2], ids=["known", "fresh"])
async def test_nothing_fails_while_a_slot_moves(two: Two, client: RedisCluster, to: int) -> None:
    """Steps on keys that are there, that are not yet, and that never are: each is done once."""
    steps, over = Steps(client), asyncio.Event()
    counted = "return redis.call('INCR', KEYS[1])"

    async def count(number: int) -> int:
        done = 0
        while not over.is_set():
            if number % 2:
                await steps.command("EVAL", counted, 2, f"{{a}}{number}", f"{{a}}-never-{number}")
            else:
                await steps.command("INCR", f"{{a}}{number}")
            done += 1
            await asyncio.sleep(0.001)
        return done

    counting = [asyncio.create_task(count(number)) for number in range(12)]
    await asyncio.sleep(0.1)
    two.begin_to_move(to)
    while await asyncio.to_thread(two.carry, to):
        await asyncio.sleep(0)
    two.move(to)
    await asyncio.sleep(0.1)
    over.set()
    done = await asyncio.gather(*counting)
    assert two.say(two.ports[0], "DBSIZE") == 0
    have = [two.say(two.all[to], "GET", f"{{a}}{number}") for number in range(12)]
    assert have == [str(number) for number in done]


async def test_replicas_are_waited_for_where_a_slot_moves_to(
    two: Two, client: RedisCluster
) -> None:
    """A step that ends something goes on being acknowledged; here no replica has it."""
    steps, step = Steps(client), script("guess_count")
    two.begin_to_move(2)
    await steps.run(step, (KEY,), "60", "1")
    call = step.sha, (KEY,), ("60", "1")
    assert await evaluate_and_wait(client, call, replicas=1, milliseconds=50) == 0
    assert two.say(two.empty, "DBSIZE") == 1


async def test_a_node_that_hung_up_is_asked_anew(two: Two, client: RedisCluster) -> None:
    """At most those fail that were under way; what comes next finds a new connection."""
    steps = Steps(client)
    await steps.command("SET", KEY, "kept")
    for _ in range(3):
        two.hang_up()
        await asyncio.sleep(0.05)  # it is heard of
        assert await steps.command("GET", KEY) == "kept"


async def test_a_failed_node_makes_the_client_look_again(two: Two, client: RedisCluster) -> None:
    """Another may have its slots by now; what has nothing more to do with it would never hear."""
    steps = Steps(client)
    await steps.command("SET", KEY, "1")
    two.say(two.ports[0], "CLIENT", "PAUSE", "2000", "ALL")
    with pytest.raises(StoreUnavailable):
        await Steps(client, deadline=0.2).command("GET", KEY)
    await asyncio.to_thread(two.say, two.ports[0], "PING")  # it answers again
    client.nodes_manager.slots_cache.clear()
    assert await steps.command("GET", KEY) == "1", "the tables were read anew"


async def test_an_answer_nobody_asked_for_is_nobodys(two: Two, client: RedisCluster) -> None:
    """A connection that another has left with something to read is not used as it is."""
    lanes = ClusterLanes(client, 1.5)
    await lanes.execute("SET", KEY, "mine")
    node = client.get_node_from_key(KEY)
    assert node is not None
    for connection in [node.acquire_connection() for _ in range(len(node._free))]:
        await connection.connect()
        await connection.send_command("ECHO", "somebody else's")
        while not await connection.can_read():
            await asyncio.sleep(0.005)
        node.release(connection)
    assert await lanes.execute("GET", KEY) == "mine"


async def test_what_has_no_key_is_run_by_the_client(two: Two, client: RedisCluster) -> None:
    """Any node will do."""
    assert await Steps(client).command("PING")
