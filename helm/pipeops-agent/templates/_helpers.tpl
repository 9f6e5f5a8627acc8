{{- define "agent.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}{{ $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end }}{{ end }}
{{- end }}

{{- define "agent.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: agent
{{- end }}

{{- define "agent.labels" -}}
{{ include "agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: pipeops
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agent.meta" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "agent.labels" . | nindent 2 }}
{{- with .Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "agent.account" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "agent.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "agent.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default $image.registry .Values.global.imageRegistry -}}
{{- if $registry }}{{ $registry }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{/* The hub's chart names its objects like this. */}}
{{- define "agent.hub" -}}
{{- $release := .Values.controlPlane.hubRelease -}}
{{- if contains "pipeops-hub" $release }}{{ $release }}{{ else }}{{ $release }}-pipeops-hub{{ end }}
{{- end }}

{{- define "agent.url" -}}
{{- if .Values.controlPlane.url }}{{ .Values.controlPlane.url }}
{{- else if .Values.controlPlane.hubRelease }}https://{{ include "agent.hub" . }}.{{ .Release.Namespace }}.svc:8443
{{- else }}{{ dig "pipeops" "apiUrl" "" .Values.agent }}{{ end }}
{{- end }}

{{- define "agent.clusterName" -}}
{{- default (dig "cluster" "name" "" .Values.agent) .Values.controlPlane.clusterName }}
{{- end }}

{{- define "agent.token" -}}
{{- default (dig "pipeops" "token" "" .Values.agent) .Values.controlPlane.token }}
{{- end }}

{{- define "agent.tokenSecret" -}}
{{- $plane := .Values.controlPlane -}}
{{- if $plane.existingSecret.name }}{{ $plane.existingSecret.name }}
{{- else if include "agent.token" . }}{{ include "agent.fullname" . }}-token
{{- else if $plane.hubRelease }}{{ include "agent.hub" . }}-agent-token
{{- end }}
{{- end }}

{{- define "agent.tokenKey" -}}
{{- if .Values.controlPlane.existingSecret.name }}{{ .Values.controlPlane.existingSecret.key }}{{ else }}token{{ end }}
{{- end }}

{{/* Says what is missing in words, before anything is rendered from it. */}}
{{- define "agent.check" -}}
{{- if not (include "agent.url" .) }}{{ fail "controlPlane.url is empty: set it to the address of the control plane, or controlPlane.hubRelease to a release of the chart pipeops-hub in this namespace" }}{{ end }}
{{- if not (include "agent.clusterName" .) }}{{ fail "controlPlane.clusterName is empty: set the name under which this cluster registers" }}{{ end }}
{{- if not (include "agent.tokenSecret" .) }}{{ fail "no token: set controlPlane.existingSecret.name to a Secret that holds it (recommended), or controlPlane.token" }}{{ end }}
{{- if and .Values.controlPlane.ca.existingSecret .Values.controlPlane.ca.existingConfigMap }}{{ fail "controlPlane.ca: set existingSecret or existingConfigMap, not both" }}{{ end }}
{{- if hasKey (default dict .Values.settings.link) "token" }}{{ fail "settings.link.token would put the token into a ConfigMap: use controlPlane.existingSecret or controlPlane.token" }}{{ end }}
{{- if hasKey (default dict .Values.settings.kubernetes) "service_token" }}{{ fail "settings.kubernetes.service_token would put a token into a ConfigMap: give it as the environment variable AGENT_KUBERNETES_SERVICE_TOKEN by extraEnv from a Secret" }}{{ end }}
{{- end }}

{{- define "agent.caMounted" -}}
{{- $plane := .Values.controlPlane -}}
{{- if or $plane.ca.existingSecret $plane.ca.existingConfigMap (and $plane.hubRelease (not $plane.ca.pem)) }}true{{ end }}
{{- end }}

{{/* The settings file. What the chart knows comes first, then `settings` over it. */}}
{{- define "agent.settings" -}}
{{- $link := dict "url" (include "agent.url" .) "cluster_name" (include "agent.clusterName" .) "token_file" "/etc/pipeops-token/token" -}}
{{- with dig "id" "" .Values.agent }}{{ $_ := set $link "agent_id" . }}{{ end }}
{{- if .Values.controlPlane.ca.pem }}{{ $_ := set $link "tls_ca_file" "/etc/pipeops/ca.crt" }}
{{- else if include "agent.caMounted" . }}{{ $_ := set $link "tls_ca_file" (printf "/etc/pipeops-ca/%s" .Values.controlPlane.ca.key) }}{{ end }}
{{- if .Values.controlPlane.clientCertificateSecret }}
{{- $_ := set $link "tls_cert_file" "/etc/pipeops-client/tls.crt" }}{{ $_ := set $link "tls_key_file" "/etc/pipeops-client/tls.key" }}
{{- end }}
{{- $kubernetes := dict "state_configmap_name" (include "agent.stateConfigMap" .) "state_secret_name" (include "agent.stateSecret" .) -}}
{{- $leader := dict "replicas" (.Values.replicas | int) "lease_name" (include "agent.lease" .) -}}
{{- $all := dict "link" $link "kubernetes" $kubernetes "leader" $leader "features" .Values.features -}}
{{- mergeOverwrite $all (deepCopy .Values.settings) | toYaml }}
{{- end }}

{{/* What of it only counts at the next start. */}}
{{- define "agent.restartSettings" -}}
{{- $all := include "agent.settings" . | fromYaml -}}
{{- pick $all "http" "kubernetes" "provision" | toJson }}
{{- end }}

{{- define "agent.port" -}}
{{- dig "http" "port" 8080 .Values.settings | int }}
{{- end }}

{{/* A memory quantity in MiB. */}}
{{- define "agent.mebi" -}}
{{- $q := . | toString -}}
{{- $n := regexFind "^[0-9.]+" $q | float64 -}}
{{- $unit := regexReplaceAll "^[0-9.]+" $q "" -}}
{{- if eq $unit "Gi" }}{{ mulf $n 1024 | int }}
{{- else if eq $unit "Mi" }}{{ $n | int }}
{{- else if eq $unit "Ki" }}{{ divf $n 1024 | int }}
{{- else if eq $unit "G" }}{{ divf (mulf $n 1000000000) 1048576 | int }}
{{- else if eq $unit "M" }}{{ divf (mulf $n 1000000) 1048576 | int }}
{{- else if eq $unit "k" }}{{ divf (mulf $n 1000) 1048576 | int }}
{{- else if eq $unit "" }}{{ divf $n 1048576 | int }}
{{- else }}{{ fail (printf "resources.limits.memory: %s is not understood; use Mi or Gi" $q) }}{{ end }}
{{- end }}

{{/* The image has no shell, so the choice that the start script makes is made here. */}}
{{- define "agent.profile" -}}
{{- if ne .Values.java.profile "auto" }}{{ .Values.java.profile }}
{{- else }}
{{- $limit := dig "limits" "memory" "" .Values.resources -}}
{{- if and $limit (le (include "agent.mebi" $limit | int) 192) }}small{{ else }}standard{{ end }}
{{- end }}
{{- end }}

{{- define "agent.command" -}}
- /opt/pipeops-agent/runtime/bin/java
- "@/opt/pipeops-agent/conf/container-agent-{{ include "agent.profile" . }}.args"
{{- range .Values.java.options }}
- {{ . | quote }}
{{- end }}
- -jar
- /opt/pipeops-agent/lib/agent-launcher.jar
{{- end }}

{{/* What there is in the cluster, as JSON; list of root, version, kind, name. */}}
{{- define "agent.found" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.lookup }}{{ lookup (index . 1) (index . 2) $root.Release.Namespace (index . 3) | toJson }}{{ else }}{}{{ end }}
{{- end }}

{{/*
The settings that this release has had until now, empty before its first install. Names that are not given stay what they are by them,
whatever this chart would choose today: an agent that changed its Lease or its state would be another one.
*/}}
{{- define "agent.before" -}}
{{- dig "data" "config.yaml" "" (include "agent.found" (list . "v1" "ConfigMap" (include "agent.fullname" .)) | fromJson) }}
{{- end }}

{{/* By default no two releases have the same Lease; releases before this rule had one of this name. */}}
{{- define "agent.lease" -}}
{{- $before := include "agent.before" . | fromYaml -}}
{{- with dig "leader" "lease_name" "" .Values.settings }}{{ . }}
{{- else }}{{ if $before }}{{ dig "leader" "lease_name" "pipeops-agent" $before }}{{ else }}{{ include "agent.fullname" . }}{{ end }}
{{- end }}
{{- end }}

{{- define "agent.stateConfigMap" -}}
{{- default (include "agent.stateName" (list . "ConfigMap" "state_configmap_name" "pipeops-agent-state" "state")) .Values.state.configMapName }}
{{- end }}

{{- define "agent.stateSecret" -}}
{{- default (include "agent.stateName" (list . "Secret" "state_secret_name" "pipeops-agent-secrets" "secrets")) .Values.state.secretName }}
{{- end }}

{{/*
The name that nobody gave: the one until now, else that of the existing agent, else, if that is another release's, one of this release.
List of root, kind, name of the setting, name of the existing agent, ending.
*/}}
{{- define "agent.stateName" -}}
{{- $root := index . 0 -}}
{{- $common := index . 3 -}}
{{- $found := include "agent.found" (list $root "v1" (index . 1) $common) | fromJson -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $found -}}
{{- $before := dig "kubernetes" (index . 2) "" (include "agent.before" $root | fromYaml) -}}
{{- if $before }}{{ $before }}
{{- else if and $owner (ne $owner $root.Release.Name) }}{{ include "agent.fullname" $root }}-{{ index . 4 }}
{{- else }}{{ $common }}{{ end }}
{{- end }}

{{/*
The state objects that are this release's, as a JSON array of Kind/name: those that were not there, that it made, or that it is known
to have made (the ConfigMap remembers that) and the agent made again after somebody deleted them.
*/}}
{{- define "agent.managedState" -}}
{{- $managed := list -}}
{{- if .Values.state.manage -}}
{{- $own := include "agent.found" (list . "v1" "ConfigMap" (include "agent.fullname" .)) | fromJson -}}
{{- $known := dig "metadata" "annotations" "pipeops.io/managed-state" "" $own | splitList "," -}}
{{- range $kind, $name := dict "ConfigMap" (include "agent.stateConfigMap" .) "Secret" (include "agent.stateSecret" .) "Lease" (include "agent.lease" .) -}}
{{- $found := include "agent.found" (list $ (ternary "coordination.k8s.io/v1" "v1" (eq $kind "Lease")) $kind $name) | fromJson -}}
{{- $owner := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $found -}}
{{- $entry := printf "%s/%s" $kind $name -}}
{{- if or (not $found) (eq $owner $.Release.Name) (has $entry $known) }}{{ $managed = append $managed $entry }}{{ end -}}
{{- end -}}
{{- end -}}
{{ $managed | toJson }}
{{- end }}
