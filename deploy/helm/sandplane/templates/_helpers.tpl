{{/* Names. Those that the Agent Sandbox API fixes stand in the templates as they are. */}}
{{- define "sandplane.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "sandplane.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := include "sandplane.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The other parts carry the release's name; the reconciler is the controller of the API and is called so. */}}
{{- define "sandplane.componentName" -}}
{{- if eq .component "reconciler" }}agent-sandbox-controller{{ else }}{{ include "sandplane.fullname" .root }}-{{ .component }}{{ end }}
{{- end }}

{{- define "sandplane.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount }}
{{- if $account.create }}
{{- default (include "sandplane.componentName" .) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}

{{- define "sandplane.domain" -}}
{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{/* Labels. (dict "root" $ "component" "claims") */}}
{{- define "sandplane.selectorLabels" -}}
app.kubernetes.io/name: {{ include "sandplane.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* `app` is what manifests, tools and network policies of the Agent Sandbox API select by. */}}
{{- define "sandplane.appLabel" -}}
{{- if eq .component "reconciler" }}
app: agent-sandbox-controller
{{- else if eq .component "router" }}
app: sandbox-router
{{- end }}
{{- end }}

{{- define "sandplane.labels" -}}
{{ include "sandplane.selectorLabels" . }}
{{- include "sandplane.appLabel" . }}
{{- include "sandplane.commonLabels" .root }}
{{- end }}

{{- define "sandplane.commonLabels" }}
app.kubernetes.io/part-of: sandplane
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "image" .Values.claims.image): what the part says, else what all say. */}}
{{- define "sandplane.image" -}}
{{- $all := .root.Values.image }}
{{- $registry := default $all.registry .image.registry }}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ default (default .root.Chart.AppVersion $all.tag) .image.tag }}{{ end }}
{{- end }}

{{- define "sandplane.pullPolicy" -}}
{{ default .root.Values.image.pullPolicy .image.pullPolicy }}
{{- end }}

{{/* ---- Redis ---- */}}
{{- define "sandplane.redisAddress" -}}
{{- if .Values.redis.enabled -}}
{{ include "sandplane.fullname" . }}-redis.{{ include "sandplane.domain" . }}:6379
{{- else -}}
{{ required "redis.external.address or redis.external.sentinel.addresses is needed when redis.enabled is false" .Values.redis.external.address }}
{{- end }}
{{- end }}

{{- define "sandplane.redisArgs" -}}
{{- $e := .Values.redis.external -}}
{{- if and (not .Values.redis.enabled) $e.sentinel.addresses -}}
- "--redis-sentinels={{ join "," $e.sentinel.addresses }}"
- "--redis-master-name={{ $e.sentinel.masterName }}"
{{- if $e.sentinel.existingSecret }}
- "--redis-sentinel-password-file=/etc/sandplane/redis/sentinel-password"
{{- end }}
{{- else -}}
- "--redis-address={{ include "sandplane.redisAddress" . }}"
{{- end }}
{{- if not .Values.redis.enabled }}
{{- if $e.cluster }}
- "--redis-cluster"
{{- end }}
{{- with $e.username }}
- "--redis-username={{ . }}"
{{- end }}
{{- if $e.tls.enabled }}
- "--redis-tls"
{{- if $e.tls.caSecret }}
- "--redis-ca-file=/etc/sandplane/redis/ca.pem"
{{- end }}
{{- if $e.tls.certSecret }}
- "--redis-cert-file=/etc/sandplane/redis/cert.pem"
- "--redis-key-file=/etc/sandplane/redis/key.pem"
{{- end }}
{{- with $e.tls.serverName }}
- "--redis-tls-server-name={{ . }}"
{{- end }}
{{- end }}
{{- if $e.minReplicas }}
- "--redis-min-replicas={{ int $e.minReplicas }}"
- "--redis-wait-ms={{ int $e.waitMs }}"
{{- end }}
{{- end }}
{{- end }}

{{/* Files for the settings above; nothing where there are none. */}}
{{- define "sandplane.redisVolume" -}}
{{- $e := .Values.redis.external -}}
{{- $tls := and (not .Values.redis.enabled) $e.tls.enabled -}}
{{- $sentinel := and (not .Values.redis.enabled) $e.sentinel.addresses $e.sentinel.existingSecret -}}
{{- if or (and $tls (or $e.tls.caSecret $e.tls.certSecret)) $sentinel -}}
- name: redis
  projected:
    sources:
    {{- if and $tls $e.tls.caSecret }}
    - secret:
        name: {{ $e.tls.caSecret }}
        items:
        - {key: {{ $e.tls.caSecretKey | quote }}, path: ca.pem}
    {{- end }}
    {{- if and $tls $e.tls.certSecret }}
    - secret:
        name: {{ $e.tls.certSecret }}
        items:
        - {key: tls.crt, path: cert.pem}
        - {key: tls.key, path: key.pem}
    {{- end }}
    {{- if $sentinel }}
    - secret:
        name: {{ $e.sentinel.existingSecret }}
        items:
        - {key: {{ $e.sentinel.existingSecretKey | quote }}, path: sentinel-password}
    {{- end }}
{{- end }}
{{- end }}

{{/* "volumes:" of a Pod, with what is given besides: (dict "root" $ "volumes" "- name: ...") */}}
{{- define "sandplane.volumes" -}}
{{- $all := compact (list (include "sandplane.redisVolume" .root) (default "" .volumes)) -}}
{{- with $all -}}
volumes:
{{ join "\n" . }}
{{- end }}
{{- end }}

{{- define "sandplane.redisSecret" -}}
{{- if .Values.redis.enabled -}}
{{ default (printf "%s-redis" (include "sandplane.fullname" .)) .Values.redis.auth.existingSecret }}
{{- else -}}
{{ .Values.redis.external.existingSecret }}
{{- end }}
{{- end }}

{{- define "sandplane.redisSecretKey" -}}
{{- if .Values.redis.enabled }}{{ .Values.redis.auth.existingSecretKey }}{{ else }}{{ .Values.redis.external.existingSecretKey }}{{ end }}
{{- end }}

{{- define "sandplane.redisHasPassword" -}}
{{- if .Values.redis.enabled }}{{ if .Values.redis.auth.enabled }}true{{ end }}{{ else if .Values.redis.external.existingSecret }}true{{ end }}
{{- end }}

{{/* All ports of a Redis that is not the chart's, one a line. */}}
{{- define "sandplane.redisPorts" -}}
{{- $e := .Values.redis.external -}}
{{- $ports := list -}}
{{- range concat (splitList "," $e.address) $e.sentinel.addresses -}}
{{- if . }}{{ $ports = append $ports (splitList ":" . | last) }}{{ end -}}
{{- end -}}
{{- if or $e.sentinel.addresses $e.cluster -}}
{{- range $e.ports }}{{ $ports = append $ports (toString .) }}{{ end -}}
{{- end -}}
{{ join "\n" (uniq $ports) }}
{{- end }}

{{/* Without the chart's version, so that an upgrade that changes nothing of a part does not restart it. */}}
{{/* ---- what the Pods of all parts have in common: (dict "root" $ "component" "claims") ---- */}}
{{- define "sandplane.podMetadata" -}}
{{- $values := index .root.Values .component -}}
labels:
  {{- include "sandplane.selectorLabels" . | nindent 2 }}
  {{- with include "sandplane.appLabel" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  app.kubernetes.io/part-of: sandplane
  {{- with .root.Values.commonLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "sandplane.podSpec" -}}
{{- $values := index .root.Values .component -}}
serviceAccountName: {{ include "sandplane.serviceAccountName" . }}
automountServiceAccountToken: {{ eq .component "reconciler" }}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else if ne .component "redis" }}
# replicas on different nodes and zones where there are several; never a reason not to run
topologySpreadConstraints:
{{- $here := . }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "sandplane.selectorLabels" $here | nindent 6 }}
{{- end }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "component" "claims" "args" (list ...) "ports" (dict name number) "admin" 7411) */}}
{{- define "sandplane.container" -}}
{{- $values := index .root.Values .component -}}
name: {{ ternary "agent-sandbox-controller" .component (eq .component "reconciler") }}
image: {{ include "sandplane.image" (dict "root" .root "image" $values.image) | quote }}
imagePullPolicy: {{ include "sandplane.pullPolicy" (dict "root" .root "image" $values.image) }}
args:
{{- range .args }}
- {{ . | quote }}
{{- end }}
- "--admin-address=0.0.0.0:{{ .admin }}"
{{ include "sandplane.redisArgs" .root }}
- "--log-level={{ .root.Values.logLevel }}"
- "--shutdown-grace={{ $values.shutdownGraceSeconds }}s"
{{- with .root.Values.traces.endpoint }}
- "--otlp-endpoint={{ . }}"
- "--trace-sample={{ $.root.Values.traces.sample }}"
{{- end }}
{{- range $values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- if or (include "sandplane.redisHasPassword" .root) .env $values.extraEnv }}
env:
{{- if include "sandplane.redisHasPassword" .root }}
- name: SANDPLANE_REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "sandplane.redisSecret" .root }}
      key: {{ include "sandplane.redisSecretKey" .root }}
{{- end }}
{{- with .env }}
{{ toYaml . }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- $redis := include "sandplane.redisVolume" .root }}
{{- if or .volumeMounts $redis }}
volumeMounts:
{{- with .volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- if $redis }}
- {name: redis, mountPath: /etc/sandplane/redis, readOnly: true}
{{- end }}
{{- end }}
ports:
{{- range $name, $port := .ports }}
- name: {{ $name }}
  containerPort: {{ $port }}
  protocol: TCP
{{- end }}
- name: metrics
  containerPort: {{ .admin }}
  protocol: TCP
livenessProbe:
  httpGet:
    path: /healthz
    port: metrics
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
readinessProbe:
  {{- if .readyTcp }}
  tcpSocket:
    port: {{ .readyTcp }}
  {{- else }}
  httpGet:
    path: /readyz
    port: metrics
  {{- end }}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 2
{{- if semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version }}
# new calls come until every node has heard that this Pod is going
lifecycle:
  preStop:
    sleep:
      seconds: {{ .root.Values.preStopSleepSeconds }}
{{- end }}
securityContext:
  {{- toYaml $values.securityContext | nindent 2 }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
{{- end }}

{{- define "sandplane.gracePeriod" -}}
{{ add (index .root.Values .component).shutdownGraceSeconds .root.Values.preStopSleepSeconds 5 }}
{{- end }}
