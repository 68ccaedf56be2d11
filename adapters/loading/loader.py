"""Mapping text to a compiled `Mapping`: everything wrong with a file is told at once. Performs no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from adapters import fetch_back
from adapters.expressions.environment import CompileError
from adapters.linting.findings import Lint, MappingError, allowed
from adapters.loading.events import EventLoader
from adapters.loading.grammar import MAPPING
from adapters.loading.instances import INSTANCE, Instance
from adapters.loading.lookups import LookupLoader, agents
from adapters.loading.model import check
from adapters.loading.privacy import PrivacyLoader, hidden_reads
from adapters.loading.rules import RuleLoader
from adapters.loading.shared import PERSON_NAMES, Files, Loading
from adapters.loading.sharing import gather
from adapters.loading.variables import later_variables
from adapters.loading.yaml_source import MapNode, ScalarNode, read_yaml
from adapters.mapping import Mapping
from adapters.rules import RuleIndex
from adapters.statements import Origin
from adapters.templates.shorthand import Shorthand
from adapters.vocabulary.terms import KINDS, Kind
from adapters.vocabulary.words import SHIPPED, Vocabulary, is_iri


def load_mapping(
    text: str,
    name: str,
    *,
    files: Files | None = None,
    tracing: bool = False,
    instance: Instance | None = None,
) -> Mapping:
    """Compile a mapping. `name` is its file's path inside the mappings folder, as messages show it.

    `files` gives the text of an included path, or None. Raises `MappingError` with every finding; findings
    that do not prevent use are on `Mapping.lints`. `tracing` compiles for `explain`. An `instance` gives it
    another name and source.
    """
    node = read_yaml(text, name)
    if instance is not None:
        node = instance.applied(node)
    lints = check(node, MAPPING, "the mapping")
    if not isinstance(node, MapNode):
        raise MappingError(lints)
    shared = gather(node, text, name, files)
    if instance is not None:
        shared.texts[INSTANCE] = instance.text()
    loading = Loading(node, shared, files, tracing=tracing)
    traced = cache(lambda: load_mapping(text, name, files=files, tracing=True, instance=instance))
    mapping = _Loader(loading).load(name, traced)
    found = _sorted([*lints, *shared.lints, *loading.collected.lints, *mapping.lints])
    if any(lint.level == "error" and lint.code != "E207" for lint in found):
        # What is missing may stand where something else is wrong.
        found = [lint for lint in found if lint.code != "E207"]
    if any(lint.level == "error" for lint in found):
        raise MappingError(found)
    found = [lint for lint in found if not allowed(lint, shared.texts.get(lint.file, ""))]
    return replace(mapping, lints=tuple(found))


def _sorted(lints: list[Lint]) -> list[Lint]:
    """In the order of the file; of two checks that see the same thing the first one speaks."""
    order = sorted(dict.fromkeys(lints), key=lambda lint: (lint.file, lint.line, lint.column, lint.code))
    shapes = {"E110": "key", "E202": "key", "E111": "kind"}
    seen: set[tuple[str, int, int, str]] = set()
    kept: list[Lint] = []
    for lint in order:
        about = (lint.file, lint.line, lint.column, shapes.get(lint.code, ""))
        if about[3] and about in seen:
            continue
        seen.add(about)
        kept.append(lint)
    return kept


class _Loader:
    """Compiles the parts of one mapping in the order in which they depend on each other."""

    def __init__(self, loading: Loading) -> None:
        self.loading = loading
        self.block = loading.block
        self.env = loading.env
        self.templates = loading.templates
        self.shared = loading.shared
        self.shorthand = Shorthand(loading.source.get("language", "und"), self.vocabulary())

    def load(self, name: str, traced: Callable[[], Mapping]) -> Mapping:
        rules = receiver = None
        event_plan = None
        lookups = LookupLoader(self.loading)
        adapter = self.block.text("adapter") or name
        try:
            receiver, event_plan = EventLoader(self.loading).receive()
            self.loading.define_early()
            identities = lookups.identities()
            directories = lookups.directories()
            recalls = lookups.recalls()
            env = later_variables(
                self.block.get("let"),
                self.templates,
                replace(
                    self.loading.env,
                    identities=agents(identities),
                    directories=directories[1],
                    recalls={recall.name: recall.value for recall in recalls},
                ),
            )
            rules = RuleLoader(
                env,
                self.templates,
                self.shorthand,
                self.shared.fragments,
                self.origin(adapter),
            ).load(self.block)
        except CompileError as error:
            self.loading.report(error.lint)
        if rules is None or event_plan is None:
            raise MappingError(_sorted([*self.shared.lints, *self.loading.collected.lints]))
        origin = self.origin(adapter)
        remembers = lookups.remembers()
        env = self.loading.event_env(PERSON_NAMES)
        fetching = fetch_back.load(self.block.block("fetch_back"), self.templates, env)
        secrets = receiver.secret_paths if receiver is not None else ()
        privacy = PrivacyLoader(self.loading, event_plan.items).privacy(secrets)
        reads = tuple(self.loading.collected.reads)
        return Mapping(
            name=adapter,
            file=name,
            version=self.block.integer("version", 1),
            revision=self.shared.revision(),
            lints=tuple(hidden_reads(privacy, event_plan, reads)),
            texts=dict(self.shared.texts),
            node=self.loading.node,
            origin=origin,
            shorthand=self.shorthand,
            namespace=origin.namespace(),
            source=self.loading.source,
            receiver=receiver,
            event_plan=event_plan,
            privacy=privacy,
            identities=tuple(identities.values()),
            directories=directories[0],
            remembers=remembers,
            recalls=recalls,
            fetch_back=fetching,
            index=RuleIndex(tuple(rules)),
            all_rules=self.block.text("mode", "first") == "all",
            reads=reads,
            branches=tuple(self.loading.collected.branches),
            tables=self.env.tables,
            tables_used=frozenset(self.loading.collected.tables_used),
            fragments_used=frozenset(self.loading.collected.fragments_used),
            traced=traced,
            shadow=self.block.flag("shadow", default=False),
        )

    def vocabulary(self) -> Vocabulary:
        """The shipped words and the mapping's own, each of which stands for an IRI."""
        words: dict[Kind, dict[str, str]] = {kind: {} for kind in KINDS}
        block = self.block.block("vocabulary")
        for kind in KINDS:
            written = block.get(kind)
            for word, node in written.items.items() if isinstance(written, MapNode) else ():
                if isinstance(node, ScalarNode) and is_iri(node.text):
                    words[kind][word] = node.text
                    doubt = SHIPPED.doubt(node.text, kind)
                    if doubt is not None:
                        self.loading.report(node.place.lint("W207", doubt.message, help=doubt.help))
                else:
                    shown = node.text if isinstance(node, ScalarNode) else "no text"
                    help = f"an address you own: https://you.example.org/{kind}/{word}"
                    message = f"an absolute IRI is wanted here, got {shown!r}"
                    self.loading.report(node.place.lint("E204", message, help=help))
        return SHIPPED.extended(words["verbs"], words["types"], words["extensions"])

    def origin(self, adapter: str) -> Origin:
        return Origin(
            adapter=adapter,
            version=self.block.integer("version", 1),
            platform=self.loading.source.get("platform"),
            timezone=self.env.timezone,
            provenance=self.block.flag("provenance", default=True),
        )
