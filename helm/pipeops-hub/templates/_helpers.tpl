{{- define "hub.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else }}{{ $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}{{ end }}{{ end }}
{{- end }}

{{- define "hub.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: hub
{{- end }}

{{- define "hub.labels" -}}
{{ include "hub.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: pipeops
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "hub.meta" -}}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "hub.labels" . | nindent 2 }}
{{- with .Values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "hub.account" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "hub.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "hub.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default $image.registry .Values.global.imageRegistry -}}
{{- if $registry }}{{ $registry }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default .Chart.AppVersion $image.tag }}{{ end }}
{{- end }}

{{/* A memory quantity in MiB. */}}
{{- define "hub.mebi" -}}
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
{{- define "hub.profile" -}}
{{- if ne .Values.java.profile "auto" }}{{ .Values.java.profile }}
{{- else }}
{{- $limit := dig "limits" "memory" "" .Values.resources -}}
{{- if and $limit (le (include "hub.mebi" $limit | int) 192) }}small{{ else }}standard{{ end }}
{{- end }}
{{- end }}

{{- define "hub.command" -}}
- /opt/pipeops-agent/runtime/bin/java
- "@/opt/pipeops-agent/conf/container-hub-{{ include "hub.profile" . }}.args"
{{- range .Values.java.options }}
- {{ . | quote }}
{{- end }}
- -jar
- /opt/pipeops-agent/lib/hub-launcher.jar
{{- end }}

{{- define "hub.adminSecret" -}}
{{- default (printf "%s-admin-token" (include "hub.fullname" .)) .Values.tokens.existingAdminSecret }}
{{- end }}

{{- define "hub.agentSecret" -}}
{{- default (printf "%s-agent-token" (include "hub.fullname" .)) .Values.tokens.existingAgentSecret }}
{{- end }}

{{- define "hub.tlsSecret" -}}
{{- default (printf "%s-tls" (include "hub.fullname" .)) .Values.tls.existingSecret }}
{{- end }}

{{- define "hub.httpPort" -}}
{{- dig "http" "port" 8080 .Values.settings | int }}
{{- end }}

{{- define "hub.check" -}}
{{- if and .Values.database.url (not .Values.database.existingSecret) }}{{ fail "database.url needs database.existingSecret: a Secret with the user and the password" }}{{ end }}
{{- range $key := list "database_password" "secret_key" }}
{{- if hasKey (default dict $.Values.settings.hub) $key }}{{ fail (printf "settings.hub.%s would be put into a ConfigMap: use database.existingSecret and secretKeySecret" $key) }}{{ end }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}{{ fail "ingress.enabled needs ingress.host" }}{{ end }}
{{- end }}

{{- define "hub.settings" -}}
{{- $hub := dict "host" "0.0.0.0" "port" 8443 "state_dir" "/var/lib/pipeops-hub" "tokens_dir" "/etc/pipeops-tokens" "tls_cert_file" "/etc/pipeops-tls/tls.crt" "tls_key_file" "/etc/pipeops-tls/tls.key" -}}
{{- if or (not .Values.tls.existingSecret) (dig "data" "ca.crt" "" (include "hub.found" (list . "v1" "Secret" .Values.tls.existingSecret) | fromJson)) }}{{ $_ := set $hub "tls_ca_file" "/etc/pipeops-tls/ca.crt" }}{{ end }}
{{- with .Values.externalUrl }}{{ $_ := set $hub "external_url" . }}{{ end }}
{{- with .Values.database.url }}{{ $_ := set $hub "database_url" . }}{{ end }}
{{- mergeOverwrite (dict "hub" $hub) (deepCopy .Values.settings) | toYaml }}
{{- end }}

{{/* What there is in the cluster, as JSON; list of root, version, kind, name. */}}
{{- define "hub.found" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.lookup }}{{ lookup (index . 1) (index . 2) $root.Release.Namespace (index . 3) | toJson }}{{ else }}{}{{ end }}
{{- end }}
