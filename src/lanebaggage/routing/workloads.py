"""Which services a lane really has: its ``labelSelector`` against the pods that workloads make.

A service is in a lane if the lane lists it (or lists nothing) and some workload of the service has the lane's labels; ASM
falls back "when target deploy did not exist in the swimlane" (the Go comment on ``fallbackTarget``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

from .documents import documents, read_files
from .errors import ERROR, NOWHERE, Finding, Place, RoutingError, error
from .fields import Fields
from .services import ServiceRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from .documents import Document
    from .model import Lane, LaneGroup

_TEMPLATED: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "CloneSet")
"""Kinds with a pod template; Argo's and OpenKruise's replacements of a Deployment included."""

APP_LABELS: Final = ("app", "app.kubernetes.io/name")
"""What says which service a workload belongs to where no Service was given."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods of one kind.

    :param labels: of the pods.
    :param service: name of the service that they belong to; found by labels where empty.
    :param namespace: theirs.
    :param name: for messages.
    :param replicas: how many; with 0 there is none.
    """

    labels: Mapping[str, str]
    service: str = ""
    namespace: str = "default"
    name: str = ""
    replicas: int = 1
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Workloads:
    """Workloads, and the selectors of the Services in front of them.

    :param workloads: any order.
    :param selectors: by service; a service without one takes workloads whose ``app`` label is its name.
    """

    workloads: tuple[Workload, ...] = ()
    selectors: Mapping[ServiceRef, Mapping[str, str]] = field(default_factory=dict)

    def of(self, service: ServiceRef) -> list[Workload]:
        """The workloads of a service that have a replica at all."""
        return [each for each in self.workloads if each.replicas > 0 and self._belongs(each, service)]

    def has(self, service: ServiceRef, selector: Mapping[str, str]) -> bool:
        """Whether a service has a workload with these labels."""
        return any(selects(selector, each.labels) for each in self.of(service))

    def _belongs(self, workload: Workload, service: ServiceRef) -> bool:
        if workload.namespace != service.namespace:
            return False
        if workload.service:
            return workload.service == service.name
        selector = self.selectors.get(service)
        if selector:
            return selects(selector, workload.labels)
        return any(workload.labels.get(label) == service.name for label in APP_LABELS)


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether labels meet a selector, as Kubernetes compares them."""
    return all(labels.get(name) == value for name, value in selector.items())


def with_workloads(
    group: LaneGroup, workloads: Workloads | Iterable[Workload], *, unlisted: Literal["absent", "present"] = "absent"
) -> LaneGroup:
    """The group with each lane's services cut down to those that it has a workload for.

    :param group: as declared.
    :param workloads: what runs.
    :param unlisted: what a service counts as that the lane does not list though a workload has the lane's labels; ASM's
        documents do not say (``docs/reference/routing.md``).
    """
    known = workloads if isinstance(workloads, Workloads) else Workloads(tuple(workloads))
    everything = {service: known.of(service) for service in group.services}

    def members(lane: Lane) -> Lane:
        return replace(
            lane,
            services=tuple(
                service
                for service, pods in everything.items()
                if (lane.has(service) or unlisted == "present") and any(selects(lane.selector, pod.labels) for pod in pods)
            ),
        )

    return replace(group, lanes=tuple(map(members, group.lanes)))


def load_workloads(*paths: str | PathLike[str]) -> Workloads:
    """The workloads and Services in files, or in the YAML files of a directory.

    :param paths: files or directories, with Deployments, Services and the like, or a plain list of
        ``{service: mocka, labels: {version: v1}}``.
    :raises RoutingError: a file cannot be read, or something in it has not the expected shape.
    """
    findings: list[Finding] = []
    found = read_workloads([each for text, file in read_files(paths) for each in documents(text, file)], findings)
    if errors := [finding for finding in findings if finding.severity == ERROR]:
        raise RoutingError(errors)
    return found


def read_workloads(found: Sequence[Document], findings: list[Finding]) -> Workloads:
    """The workloads and Services among documents.

    :param findings: takes what is wrong.
    """
    workloads: list[Workload] = []
    selectors: dict[ServiceRef, Mapping[str, str]] = {}
    for document in found:
        root = Fields(document.node, "", findings)
        spec = root.mapping("spec") if document.kind in (*_TEMPLATED, "Service") else root
        if document.kind in _TEMPLATED:
            labels = spec.mapping("template").mapping("metadata").text_map("labels")
            replicas = spec.number("replicas") if document.kind != "DaemonSet" else None
            one = 1 if replicas is None else replicas
            workloads.append(Workload(labels, "", document.namespace, document.name, one, document.place))
        elif document.kind == "Pod":
            pod_labels = root.mapping("metadata").text_map("labels")
            workloads.append(Workload(pod_labels, "", document.namespace, document.name, 1, document.place))
        elif document.kind == "Service":
            service = root.made("metadata", ServiceRef, document.name, document.namespace)
            if service is not None and (selector := spec.text_map("selector")):
                selectors[service] = selector
        elif not document.kind:
            workloads += _plain(document, findings)
    return Workloads(tuple(workloads), selectors)


def _plain(document: Document, findings: list[Finding]) -> list[Workload]:
    found = []
    for index, item in enumerate(document.node.value):
        fields = Fields(item, f"[{index}]", findings)
        if item.kind != "mapping" or not fields.text("service"):
            what = f"item {index + 1} of the list names no service"
            fix = "Write - {service: mocka, labels: {version: v1}}"
            findings.append(error("shape", item.place, what, "a plain list is one of workloads", fix))
            continue
        replicas = fields.number("replicas")
        found.append(
            Workload(
                fields.text_map("labels"),
                fields.text("service"),
                fields.text("namespace", "default"),
                fields.text("name"),
                1 if replicas is None else replicas,
                fields.place,
            )
        )
    return found
