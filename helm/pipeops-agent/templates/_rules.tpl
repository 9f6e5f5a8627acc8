{{/*
Rules by what needs them. What a feature needs is only there while the feature is on; what the control plane may do is the
profile, and only there while the tunnel is on.
*/}}
{{- define "agent.clusterRules" -}}
# Who the cluster is: the identity is made of the UID of this namespace.
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: [kube-system]
  verbs: [get]
{{- if dig "heartbeat" "enabled" true .Values.features }}
# heartbeat: how many nodes and pods there are, and how busy the nodes are.
- apiGroups: [""]
  resources: [nodes, pods]
  verbs: [list]
- apiGroups: [metrics.k8s.io]
  resources: [nodes]
  verbs: [list]
{{- end }}
{{- if dig "tunnel" "enabled" true .Values.features }}
{{- if eq .Values.rbac.profile "full" }}
# tunnel, profile full: everything.
- apiGroups: ["*"]
  resources: ["*"]
  verbs: ["*"]
- nonResourceURLs: ["*"]
  verbs: ["*"]
{{- else }}
# tunnel, every profile: look at everything but Secrets.
- apiGroups: [""]
  resources: [namespaces, nodes, pods, pods/log, pods/status, services, endpoints, configmaps, events, persistentvolumes, persistentvolumeclaims, replicationcontrollers, resourcequotas, limitranges, serviceaccounts]
  verbs: [get, list, watch]
- apiGroups: [apps, batch, autoscaling, policy, networking.k8s.io, discovery.k8s.io, storage.k8s.io, events.k8s.io, scheduling.k8s.io, coordination.k8s.io, metrics.k8s.io, gateway.networking.k8s.io, apiextensions.k8s.io, apiregistration.k8s.io]
  resources: ["*"]
  verbs: [get, list, watch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings, clusterroles, clusterrolebindings]
  verbs: [get, list, watch]
{{- if .Values.rbac.secrets }}
- apiGroups: [""]
  resources: [secrets]
  verbs: {{ if eq .Values.rbac.profile "tunnel" }}[get, list, watch, create, update, patch, delete]{{ else }}[get, list, watch]{{ end }}
{{- end }}
{{- if eq .Values.rbac.profile "tunnel" }}
# tunnel, profile tunnel: run workloads.
- apiGroups: [""]
  resources: [namespaces, pods, services, configmaps, persistentvolumeclaims, replicationcontrollers, serviceaccounts]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [""]
  resources: [pods/exec, pods/attach, pods/portforward, pods/proxy, services/proxy]
  verbs: [get, create]
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
- apiGroups: [""]
  resources: [pods/ephemeralcontainers, pods/resize]
  verbs: [get, update, patch]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets, replicasets]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [apps]
  resources: [deployments/scale, statefulsets/scale, replicasets/scale]
  verbs: [get, update, patch]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [create, update, patch, delete, deletecollection]
- apiGroups: [gateway.networking.k8s.io]
  resources: [gateways, httproutes, grpcroutes, tcproutes, udproutes, tlsroutes, referencegrants]
  verbs: [create, update, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [create, update, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, update, patch, delete]
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agent.namespaceRules" -}}
# What the agent remembers; nothing else in this namespace can be changed.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "agent.stateConfigMap" . | quote }}]
  verbs: [get, update, patch]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "agent.stateSecret" . | quote }}]
  verbs: [get, update, patch]
# Which pod leads. A pod that stands by watches it, so that it takes over at once.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "agent.lease" . | quote }}]
  verbs: [get, list, watch, update, patch]
# A name cannot be asked for at creation.
- apiGroups: [""]
  resources: [configmaps, secrets]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
# What an operator should see with `kubectl describe pod`.
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
