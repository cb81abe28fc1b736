"""The custom resources, in one place: groups, kinds, versions, fields, defaults and rules.

crds.py turns this table into CustomResourceDefinitions; nothing else in the project describes these types. A field
that both versions have stands here once, so that the versions can differ only where a line says so. Schemas are
plain OpenAPI, with "$ref" for what kubernetes.json defines.
"""

GROUP = "agents.x-k8s.io"
EXTENSIONS = "extensions." + GROUP

# ---- how schemas are written ----


def obj(description, *required, **fields):
    out = {"type": "object", "description": description, "properties": fields}
    return {**out, "required": list(required)} if required else out


def text(description, **more):
    return {"type": "string", "description": description, **more}


def flag(description):
    return {"type": "boolean", "description": description}


def int32(description, **more):
    return {"type": "integer", "format": "int32", "description": description, **more}


def int64(description, **more):
    return {"type": "integer", "format": "int64", "description": description, **more}


def instant(description):
    return text(description, format="date-time")


def choice(description, *values, default):
    return text(description, enum=list(values), default=default)


def strings(description):
    return {"type": "object", "description": description, "additionalProperties": {"type": "string"}}


def many(description, items, **more):
    return {"type": "array", "description": description, "items": items, **more}


ATOMIC = {"x-kubernetes-list-type": "atomic"}


def kubernetes(name, description):
    return {"$ref": name, "description": description}


# ---- what several kinds share ----

LABELS = strings("Labels to add.")
ANNOTATIONS = strings("Annotations to add.")

POD_TEMPLATE = obj(
    "The Pod that runs the sandbox.",
    "spec",
    metadata=obj("Labels and annotations of the Pod; other keys are dropped.", labels=LABELS, annotations=ANNOTATIONS),
    spec=kubernetes("PodSpec", "The spec of the Pod, as in a Pod of core/v1. At least `containers` must be given."),
)

CLAIM_TEMPLATES = many(
    "Volumes that outlive the Pod. Each becomes a PersistentVolumeClaim named after the template and the sandbox, and "
    "a volume of the Pod under the template's name.",
    obj(
        "One PersistentVolumeClaim to make.",
        "spec",
        metadata=obj(
            "Name, labels and annotations of the claim; other keys are dropped.",
            name=text("Name of the template, which is also the name of the volume."),
            labels=LABELS,
            annotations=ANNOTATIONS,
        ),
        spec=kubernetes("PersistentVolumeClaimSpec", "The spec of the claim, as in core/v1."),
    ),
    **ATOMIC,
)

BLUEPRINT = dict(
    podTemplate=POD_TEMPLATE,
    volumeClaimTemplates=CLAIM_TEMPLATES,
    service=flag(
        "Whether the sandbox has a headless Service of its own name. true makes one, false removes one; left out, none "
        "is made and one that exists is kept."
    ),
)

CONDITIONS = many(
    "What is known about the object, one entry for each aspect.",
    obj(
        "One aspect, with the reason for its present state.",
        *["lastTransitionTime", "message", "reason", "status", "type"],
        type=text(
            "Name of the aspect, such as Ready.",
            maxLength=316,
            pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
        status=text("True, False or Unknown.", enum=["True", "False", "Unknown"]),
        reason=text(
            "Why, in one word for programs.",
            minLength=1,
            maxLength=1024,
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        ),
        message=text("Why, in words for people. May be empty.", maxLength=32768),
        lastTransitionTime=instant("When the status last changed."),
        observedGeneration=int64("The generation of the object that this entry is about.", minimum=0),
    ),
)

POD_IPS = many("Addresses of the Pod, the primary one first.", {"type": "string"})
TEMPLATE_REF = obj(
    "The SandboxTemplate to build from, in the same namespace.", "name", name=text("Name of the SandboxTemplate.")
)

READY = ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status")
REASON = ("Reason", "string", ".status.conditions[?(@.type=='Ready')].reason")
AGE = ("Age", "date", ".metadata.creationTimestamp")

# ---- Sandbox ----

SANDBOX_SPEC = dict(
    BLUEPRINT,
    shutdownTime=instant("When the sandbox ends. Left out, it never ends by itself."),
    shutdownPolicy=choice(
        "What happens to the Sandbox object when it has ended: Delete removes it, Retain keeps it with its volumes.",
        *["Delete", "Retain"],
        default="Retain",
    ),
)

# A list that appears or goes away is a change too; an empty one counts as present.
KEEPS_CLAIM_TEMPLATES = {
    "message": "volumeClaimTemplates is immutable",
    "rule": "has(self.volumeClaimTemplates) == has(oldSelf.volumeClaimTemplates) && "
    "(!has(self.volumeClaimTemplates) || self.volumeClaimTemplates == oldSelf.volumeClaimTemplates)",
}

# The name of the Service is the Sandbox's, and a DNS label. On the object itself, where names can be seen.
NAMES_A_SERVICE = {
    "message": "metadata.name must be no longer than 63 characters when spec.service is true",
    "rule": "!has(self.spec.service) || !self.spec.service || size(self.metadata.name) <= 63",
}

SANDBOX_STATUS = dict(
    serviceFQDN=text("Full DNS name of the headless Service."),
    service=text("Name of the headless Service."),
    conditions=CONDITIONS,
    selector=text("Label selector that finds the Pod."),
    podIPs=POD_IPS,
)

SANDBOX_V1BETA1 = dict(
    spec=obj(
        "The sandbox that is wanted.",
        "podTemplate",
        **SANDBOX_SPEC,
        operatingMode=choice(
            "Running keeps a Pod. Suspended takes the Pod away and keeps the volumes and the object.",
            *["Running", "Suspended"],
            default="Running",
        ),
    )
    | {"x-kubernetes-validations": [KEEPS_CLAIM_TEMPLATES]},
    status=obj("The sandbox as last seen.", **SANDBOX_STATUS, nodeName=text("Node that the Pod runs on.")),
    columns=[READY, REASON, AGE],
    rules=[NAMES_A_SERVICE],
)

SANDBOX_V1ALPHA1 = dict(
    spec=obj(
        "The sandbox that is wanted.",
        "podTemplate",
        **SANDBOX_SPEC,
        replicas=int32(
            "1 keeps a Pod. 0 takes the Pod away and keeps the volumes and the object.", minimum=0, maximum=1, default=1
        ),
    ),
    status=obj("The sandbox as last seen.", **SANDBOX_STATUS, replicas=int32("How many Pods there are.", minimum=0)),
    scale=True,
)

# ---- SandboxTemplate ----

TEMPLATE_SPEC = dict(
    BLUEPRINT,
    networkPolicy=obj(
        "Traffic that sandboxes of this template may have, instead of the built-in rules.",
        ingress=many(
            "Traffic that may come in; an empty list lets nothing in.",
            kubernetes("NetworkPolicyIngressRule", "One rule, as in networking.k8s.io/v1."),
        ),
        egress=many(
            "Traffic that may go out; an empty list lets nothing out.",
            kubernetes("NetworkPolicyEgressRule", "One rule, as in networking.k8s.io/v1."),
        ),
    ),
    networkPolicyManagement=choice(
        "Managed keeps one NetworkPolicy for all sandboxes of this template. Unmanaged keeps none and leaves the "
        "network to you.",
        *["Managed", "Unmanaged"],
        default="Managed",
    ),
    envVarsInjectionPolicy=choice(
        "Whether a SandboxClaim may bring environment variables: Disallowed, Allowed for names that the template does "
        "not set, Overrides for any name.",
        *["Allowed", "Overrides", "Disallowed"],
        default="Disallowed",
    ),
)

CLAIM_TEMPLATES_POLICY = dict(
    volumeClaimTemplatesPolicy=choice(
        "Whether a SandboxClaim may bring volumeClaimTemplates: Disallowed, Allowed for names that the template does "
        "not have, Overrides for any name.",
        *["Disallowed", "Allowed", "Overrides"],
        default="Disallowed",
    )
)

TEMPLATE_TEXT = "What sandboxes of this template are made of."
TEMPLATE_V1BETA1 = dict(spec=obj(TEMPLATE_TEXT, "podTemplate", **TEMPLATE_SPEC, **CLAIM_TEMPLATES_POLICY))
TEMPLATE_V1ALPHA1 = dict(spec=obj(TEMPLATE_TEXT, "podTemplate", **TEMPLATE_SPEC))

# ---- SandboxClaim ----

CLAIM_SPEC = dict(
    lifecycle=obj(
        "When the claim ends, and how. Left out, it never ends by itself.",
        shutdownTime=instant("When the claim ends."),
        ttlSecondsAfterFinished=int32("How long the claim stays after its sandbox has finished.", minimum=0),
        shutdownPolicy=choice(
            "What happens at the end: Delete removes the claim and its sandbox, DeleteForeground does and lets the "
            "claim stay until the Pod is gone, Retain removes the sandbox and keeps the claim.",
            *["Delete", "DeleteForeground", "Retain"],
            default="Retain",
        ),
    ),
    additionalPodMetadata=obj("Labels and annotations to add to the Pod.", labels=LABELS, annotations=ANNOTATIONS),
    env=many(
        "Environment variables to set, as far as the template allows it. A claim that brings some gets a "
        "sandbox made for it.",
        obj(
            "One variable.",
            *["name", "value"],
            name=text("Name of the variable."),
            value=text("Its value, literally."),
            containerName=text("Container that gets it. Left out, the first one does."),
        ),
        **ATOMIC,
    ),
)

CLAIM_TEXT = "The sandbox that is asked for."
CLAIM_STATUS = obj(
    "The claim as last seen.",
    conditions=CONDITIONS,
    sandbox=obj("The sandbox that the claim holds.", name=text("Name of the Sandbox."), podIPs=POD_IPS),
)

CLAIM_V1BETA1 = dict(
    spec=obj(
        CLAIM_TEXT,
        "warmPoolRef",
        **CLAIM_SPEC,
        warmPoolRef=obj(
            "The pool to take a sandbox from, in the same namespace.", "name", name=text("Name of the SandboxWarmPool.")
        ),
        volumeClaimTemplates=CLAIM_TEMPLATES,
    ),
    status=CLAIM_STATUS,
    columns=[READY, ("Sandbox", "string", ".status.sandbox.name"), REASON, AGE],
)

CLAIM_V1ALPHA1 = dict(
    spec=obj(
        CLAIM_TEXT,
        "sandboxTemplateRef",
        **CLAIM_SPEC,
        sandboxTemplateRef=TEMPLATE_REF,
        warmpool=text(
            "Where the sandbox comes from: default takes any pool of the template, none takes no pool, and any other "
            "value is the name of a pool.",
            default="default",
        ),
    ),
    status=CLAIM_STATUS,
)

# ---- SandboxWarmPool ----

REPLICAS = "How many sandboxes to keep ready."
UPDATE_STRATEGY = obj(
    "What happens to ready sandboxes when the template changes.",
    type=choice(
        "Recreate replaces them at once. OnReplenish leaves them, and only new ones follow the new template.",
        *["Recreate", "OnReplenish"],
        default="OnReplenish",
    ),
)
READINESS_GRACE = dict(
    readinessGracePeriodSeconds=int32(
        "How long a sandbox of this pool may take to become ready before it is replaced. Left out, the controller's "
        "own setting counts.",
        minimum=30,
    )
)
POOL_STATUS = dict(
    replicas=int32("How many sandboxes the pool has."),
    readyReplicas=int32("How many of them are ready."),
    selector=text("Label selector that finds the Pods of the pool."),
)
POOL_COLUMNS = [("Ready", "integer", ".status.readyReplicas"), ("Desired", "integer", ".spec.replicas"), AGE]

POOL_V1BETA1 = dict(
    spec=obj(
        "The pool that is wanted.",
        "sandboxTemplateRef",
        replicas=int32(REPLICAS, minimum=0, default=1),
        sandboxTemplateRef=TEMPLATE_REF,
        updateStrategy=UPDATE_STRATEGY,
        **READINESS_GRACE,
    ),
    status=obj(
        "The pool as last seen.",
        **POOL_STATUS,
        observedGeneration=int64("The generation of the pool that these numbers are about.", minimum=0),
        conditions=CONDITIONS,
    ),
    columns=POOL_COLUMNS,
    scale=True,
)

POOL_V1ALPHA1 = dict(
    spec=obj(
        "The pool that is wanted.",
        *["replicas", "sandboxTemplateRef"],
        replicas=int32(REPLICAS, minimum=0),
        sandboxTemplateRef=TEMPLATE_REF,
        updateStrategy=UPDATE_STRATEGY,
    ),
    status=obj("The pool as last seen.", **POOL_STATUS),
    columns=POOL_COLUMNS,
    scale=True,
)

# ---- all of them ----

# (group, kind, short name, what it is, {version: its parts}); the first version is the one that is stored.
KINDS = [
    (
        *(GROUP, "Sandbox", "sandbox"),
        "One isolated machine for one agent: a Pod with a stable name, its volumes and, if wanted, its Service.",
        {"v1beta1": SANDBOX_V1BETA1, "v1alpha1": SANDBOX_V1ALPHA1},
    ),
    (
        *(EXTENSIONS, "SandboxClaim", "sandboxclaim"),
        "A request for a sandbox, answered from a pool.",
        {"v1beta1": CLAIM_V1BETA1, "v1alpha1": CLAIM_V1ALPHA1},
    ),
    (
        *(EXTENSIONS, "SandboxTemplate", "sandboxtemplate"),
        "What the sandboxes of pools and claims are made of.",
        {"v1beta1": TEMPLATE_V1BETA1, "v1alpha1": TEMPLATE_V1ALPHA1},
    ),
    (
        *(EXTENSIONS, "SandboxWarmPool", "swp"),
        "A number of sandboxes that are kept ready, so that a claim need not wait for one.",
        {"v1beta1": POOL_V1BETA1, "v1alpha1": POOL_V1ALPHA1},
    ),
]

# Filled in with a caBundle by the controller that serves it.
CONVERSION = {
    "strategy": "Webhook",
    "webhook": {
        "clientConfig": {
            "service": {
                "name": "agent-sandbox-webhook-service",
                "namespace": "agent-sandbox-system",
                "path": "/convert",
            }
        },
        "conversionReviewVersions": ["v1", "v1beta1"],
    },
}
