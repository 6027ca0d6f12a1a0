"""The people and guilds a simulated Discord starts with: one for each case worth trying."""

from broker.demo.discord.people import Guild, Membership, Person

LIGHTHOUSE = Guild(
    "613425648685547541",
    "The Lighthouse",
    roles={"613425648685547542": "Keeper", "613425648685547543": "Member"},
)
GREENHOUSE = Guild("697138785317814292", "Greenhouse", roles={"697138785317814293": "Gardener"})

KEEPER = Membership(
    LIGHTHOUSE.id, roles=("613425648685547542", "613425648685547543"), nick="Ada", owner=True
)
MEMBER = Membership(LIGHTHOUSE.id, roles=("613425648685547543",))

ADA = Person(
    "175928847299117063",
    "ada.lindqvist",
    "Ada Lindqvist",
    avatar="8342729096ea3675442027381ff50dfe",
    email="ada@example.com",
    mfa_enabled=True,
    locale="sv-SE",
    memberships=(KEEPER, Membership(GREENHOUSE.id)),
)
BEN = Person(
    "221837450912858112",
    "ben_okafor",
    "Ben Okafor",
    avatar="a_d5efa99b3eeaa7dd43acca82f5692432",
    email="ben@example.com",
    locale="en-GB",
    memberships=(MEMBER,),
)
CHIYO = Person(
    "309118846233378817",
    "chiyo",
    "千代",
    avatar="c1ee4f6b6d4b4d3ba9f4d1f0a5a1e6f7",
    email="chiyo@example.com",
    verified=False,
    locale="ja",
)
DMITRI = Person("418203375561932800", "dmitri7", locale="ru", verified=False)
NOA = Person(
    "512004881739612160",
    "noa.bd",
    "נועה בן־דוד",
    avatar="4be0a7c3d1c84f0fa1f4d0c7b1a9e2d5",
    email="noa@example.com",
    locale="he",
    memberships=(Membership(LIGHTHOUSE.id, pending=True),),
)
LAMP = Person(
    "603319157042511872",
    "lamplighter",
    discriminator="4071",
    bot=True,
    verified=False,
    memberships=(Membership(LIGHTHOUSE.id),),
)

GUILDS = (LIGHTHOUSE, GREENHOUSE)
CAST = (ADA, BEN, CHIYO, DMITRI, NOA, LAMP)
