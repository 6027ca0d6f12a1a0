"""``broker keys rotate``, ``revoke`` and ``prune``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.cli import key_reports as reports
from broker.cli import key_words as words
from broker.cli import show
from broker.cli.confirming import Yes, asks, sure
from broker.cli.key_choices import Algorithm, Kid, chosen
from broker.cli.key_plan import step_facts
from broker.cli.running import Exit, judge, with_stores

if TYPE_CHECKING:
    from broker.app.clock import SystemClock
    from broker.app.settings import Settings
    from broker.app.stores import Stores
    from keys.outcome import Outcome
    from keys.policy import Policy
    from keys.pruning import Pruned
    from keys.steps import Step


def rotate(
    at_once: Annotated[
        bool, typer.Option("--now", help="Change over at this instant, not after the waiting time.")
    ] = False,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Do what is due, and nothing else; for cron.")
    ] = False,
    algorithm: Algorithm = None,
    json: show.Json = False,
) -> None:
    """Change over to the published successor; verifiers that honour cache headers notice nothing.

    Keys rotate by themselves while a broker runs. This brings the change-over forward: by default
    to the moment when every process can have heard of it, with --now to this instant. Repeating it
    is harmless.

    With --if-due nothing is brought forward: what is due is done, as a running broker would, and
    the next step is told. Let cron run it where no broker runs for long.

    With --json it answers one object, or a list where several algorithms are meant.

    Exit code 4 where --now would meet a cache that cannot know the successor yet.
    """
    if if_due:
        if at_once or algorithm:
            raise typer.BadParameter("--if-due goes with neither --now nor --algorithm")
        _rotate_if_due(json=json)
        return

    done, refused = with_stores(
        lambda stores, settings, clock: _rotate(
            stores, clock, settings, chosen(algorithm, settings), at_once=at_once
        ),
        redis=True,
    )
    if json and done:
        facts = [reports.outcome_facts(one) for one in done]
        show.document(facts[0] if len(done) + len(refused) == 1 else facts)
    elif not json:
        for one in done:
            reports.tell_outcome(one)
    for error in refused:
        typer.secho(f"broker: {judge(error)[1]}", fg="red", err=True)
    if refused:
        raise typer.Exit(Exit.REFUSED)


async def _rotate(
    stores: "Stores",
    clock: "SystemClock",
    settings: "Settings",
    algorithms: tuple[str, ...],
    *,
    at_once: bool,
) -> "tuple[list[Outcome], list[Exception]]":
    """Rotate each of these algorithms' keys; one that refuses does not keep back the others."""
    from keys.errors import NoSigningKey, RotationRefused

    rotation = stores.rotation(settings)
    change = rotation.rotate_now if at_once else rotation.rotate
    done: list[Outcome] = []
    refused: list[Exception] = []
    for alg in algorithms:
        try:
            outcome = await change(clock.now(), alg)
        except (RotationRefused, NoSigningKey) as error:
            refused.append(error)
            continue
        await reports.remember_outcome(stores, clock, outcome)
        done.append(outcome)
    return done, refused


def _rotate_if_due(*, json: bool) -> None:
    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[tuple[Step, ...], int, Step | None, float]":
        from keys.plan import plan
        from keys.steps import steps_between
        from keys.upkeep import ensure

        now, policy, algorithms = clock.now(), settings.key_policy, settings.algorithms
        before = await stores.keys.all()
        after = await ensure(stores.keys, stores.vault, policy, now, algorithms=algorithms)
        swept = await stores.vault.sweep(after, now)
        done = steps_between(before, after, now, now, policy)
        if done or swept:
            detail = {"steps": [f"{one.kind} {one.kid}" for one in done], "swept": swept}
            await reports.remember(stores, clock, "keys.maintain", detail)
        ahead = plan(after, algorithms, now, policy, 2 * policy.period).steps
        return done, swept, next(iter(ahead), None), now

    done, swept, following, now = with_stores(work)
    if json:
        coming = None if following is None else step_facts(following)
        show.document({"done": [step_facts(one) for one in done], "swept": swept, "next": coming})
        return
    for step in done:
        typer.echo(f"Key {words.step(step, str)}.")
    if swept:
        typer.echo(f"Destroyed {swept} private halves that a crash had left behind.")
    nothing = "" if done or swept else "Nothing is due. "
    if following is not None:
        when = f"{show.when(following.at, now)}, at {show.stamp(following.at)}"
        typer.echo(f"{nothing}The next step comes {when}: key {words.step(following)}.")


def revoke(
    kid: Kid,
    reason: Annotated[
        str | None, typer.Option(help="Why; kept with the key. Asked for on a terminal.")
    ] = None,
    yes: Yes = False,
    json: show.Json = False,
) -> None:
    """Put a key out of use for good: its successor signs, and it leaves the JWKS.

    For emergencies: the private half may be in other hands. The published successor, which caches
    know already, signs at once, and a new successor is published. Where caches do not know the
    successor yet, nothing signs until they do; the answer says when.

    Services refuse its tokens as soon as their own copy of the JWKS ends; the answer says by
    when, and which apps and APIs are affected. Sessions and refresh tokens live on. Repeating it
    is harmless and changes nothing.
    """
    if asks(yes=yes):
        record, affected = with_stores(
            lambda stores, settings, clock: reports.look(kid, stores, settings, clock)
        )
        typer.echo(f"Key {record.kid} ({record.alg}). {reports.sentence(affected)}")
        if reason is None:
            reason = typer.prompt("Reason, kept with the key", default="", show_default=False)
        sure("Revoke it for good", yes=yes)

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[Outcome, reports.Affected, float, float, Policy]":
        record, affected = await reports.look(kid, stores, settings, clock)
        outcome = await stores.rotation(settings).revoke(record.kid, reason or "", clock.now())
        await reports.remember_outcome(stores, clock, outcome)
        now = clock.now()
        return outcome, affected, outcome.leaves_at or now, now, settings.key_policy

    outcome, affected, revoked_at, now, policy = with_stores(work, redis=True)
    if json:
        more = reports.affected_facts(affected, revoked_at, policy)
        show.document(reports.outcome_facts(outcome) | more)
        return
    reports.tell_outcome(outcome)
    reports.tell_affected(affected, revoked_at, now, policy)


def prune(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and change nothing.")
    ] = False,
    json: show.Json = False,
) -> None:
    """Remove what is past use, and give up the keys of algorithms that are switched off.

    Records and private halves that nothing needs any more go now instead of when a running broker
    comes to them. Keys of an algorithm that is off (BROKER_SIGNING_ALGORITHMS) lose their private
    halves, and stay in the JWKS only as long as a token they signed can live.

    Switch the algorithm off in every process first: one that has it on would go on signing, and
    make new keys. Exit code 4 where an app or an API is still set to it.
    """

    async def work(
        stores: "Stores", settings: "Settings", clock: "SystemClock"
    ) -> "tuple[Pruned, float]":
        from broker.app.algorithms import check_in_use
        from keys import pruning

        await check_in_use(settings, stores.sql)
        now, tool = clock.now(), stores.rotation(settings)
        if dry_run:
            records = await stores.keys.all()
            found = pruning.past_use(records, tool.algorithms, now, tool.policy)
            return pruning.summary(found), now
        pruned = await pruning.prune(tool, now)
        if pruned.changed:
            await reports.remember(stores, clock, "keys.prune", _removed(pruned))
        return pruned, now

    pruned, now = with_stores(work)
    if json:
        facts: dict[str, Any] = {"dry_run": dry_run, "changed": pruned.changed and not dry_run}
        show.document(facts | _removed(pruned))
    else:
        _tell_pruned(pruned, now, dry_run=dry_run)


def _removed(pruned: "Pruned") -> dict[str, Any]:
    return {
        "deleted": list(pruned.deleted),
        "erased": list(pruned.erased),
        "given_up": list(pruned.given_up),
        "verifies_until": show.stamp(pruned.verifies_until),
        "swept": pruned.swept,
    }


def _tell_pruned(pruned: "Pruned", now: float, *, dry_run: bool) -> None:
    if not pruned.changed:
        typer.echo("Nothing is past use, and no algorithm that is off has keys.")
        return
    would = "would be" if dry_run else "was"
    for kid in pruned.deleted:
        typer.echo(f"Key {kid} {would} deleted: not even an old sign-out hint can need it.")
    for kid in pruned.erased:
        typer.echo(f"The private half of key {kid} {would} erased: no process signs with it.")
    for kid in pruned.given_up:
        typer.echo(f"Key {kid} {would} given up: its algorithm is off; it only verifies.")
    if pruned.swept:
        typer.echo(f"Destroyed {pruned.swept} private halves that a crash had left behind.")
    if pruned.given_up:
        if pruned.verifies_until is not None and pruned.verifies_until > now:
            until = f"{show.stamp(pruned.verifies_until)} ({show.when(pruned.verifies_until, now)})"
            typer.echo(f"Verifiers find the keys given up in the JWKS until {until}.")
        typer.echo("Their algorithm has to be off in every process, before as after.")
    else:
        typer.echo("Verifiers see no difference.")
    if dry_run:
        typer.echo("Nothing was changed.")
