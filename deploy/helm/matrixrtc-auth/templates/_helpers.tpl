{{- /* The name of all objects. */ -}}
{{- define "matrixrtc-auth.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | replace "." "-" | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The labels of selectors, which must never change. */ -}}
{{- define "matrixrtc-auth.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "matrixrtc-auth.labels" -}}
{{ include "matrixrtc-auth.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The text of a value of variables. A number is written with all digits, as 1000000
and not as 1e+06. YAML reads off and on as false and true; here they are words again. A
"$" is doubled, so that Kubernetes does not expand it. */ -}}
{{- define "matrixrtc-auth.text" -}}
{{- if kindIs "bool" . -}}
{{- ternary "on" "off" . -}}
{{- else if kindIs "string" . -}}
{{- trim . | replace "$" "$$" -}}
{{- else if not (kindIs "invalid" .) -}}
{{- toJson . -}}
{{- end -}}
{{- end -}}

{{- /* The text of a variable, "" if it is not set: dict "root" $ "name" "LIVEKIT_…". */ -}}
{{- define "matrixrtc-auth.variable" -}}
{{- include "matrixrtc-auth.text" (get .root.Values.variables .name) -}}
{{- end -}}

{{- /* "true" if a secret is set, else "": dict "root" $ "name" "LIVEKIT_…". */ -}}
{{- define "matrixrtc-auth.hasSecret" -}}
{{- with get .root.Values.secrets .name -}}
{{- if or .existingSecret .existingConfigMap .value -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The name of the object that has a secret, and the key in it. */ -}}
{{- define "matrixrtc-auth.secretName" -}}
{{- $secret := get .root.Values.secrets .name -}}
{{- coalesce $secret.existingConfigMap $secret.existingSecret (include "matrixrtc-auth.fullname" .root) -}}
{{- end -}}
{{- define "matrixrtc-auth.secretKey" -}}
{{- $secret := get .root.Values.secrets .name -}}
{{- if $secret.value -}}{{- .name -}}{{- else -}}{{- default .name $secret.key -}}{{- end -}}
{{- end -}}

{{- /* The content of the Secret that the chart makes. */ -}}
{{- define "matrixrtc-auth.made" -}}
{{- range $name, $secret := .Values.secrets }}
{{- with $secret }}
{{- if .value }}
{{ $name }}: {{ .value | b64enc | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* "true" if the replicas share a Redis, else "". */ -}}
{{- define "matrixrtc-auth.redis" -}}
{{- if or (include "matrixrtc-auth.variable" (dict "root" . "name" "LIVEKIT_REDIS_URL")) (include "matrixrtc-auth.hasSecret" (dict "root" . "name" "LIVEKIT_REDIS_URL")) -}}true{{- end -}}
{{- end -}}

{{- /* "true" if the leaves are in a file on the volume, else "". */ -}}
{{- define "matrixrtc-auth.volume" -}}
{{- if and .Values.persistence.enabled (not (include "matrixrtc-auth.redis" .)) (not (include "matrixrtc-auth.variable" (dict "root" . "name" "LIVEKIT_STORE"))) -}}true{{- end -}}
{{- end -}}

{{- /* For how many seconds a pod that ends still gets requests. */ -}}
{{- define "matrixrtc-auth.delay" -}}
{{- if include "matrixrtc-auth.redis" . -}}{{- .Values.shutdownDelaySeconds | int -}}{{- else -}}0{{- end -}}
{{- end -}}

{{- define "matrixrtc-auth.port" -}}
{{- get .Values.variables "LIVEKIT_JWT_BIND" | default ":8080" | trimPrefix ":" -}}
{{- end -}}
{{- define "matrixrtc-auth.metricsPort" -}}
{{- get .Values.variables "LIVEKIT_METRICS_BIND" | default "" | trimPrefix ":" -}}
{{- end -}}

{{- /* Fails if two values contradict each other. */ -}}
{{- define "matrixrtc-auth.check" -}}
{{- $ := . -}}
{{- $name := include "matrixrtc-auth.fullname" . -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- fail (printf "the Service would be called %s, and its name has to begin with a letter: set fullnameOverride" $name) -}}
{{- end -}}
{{- $_ := required "image.repository is required: where the image is, like registry.example.org/matrixrtc-auth" .Values.image.repository -}}
{{- range list "LIVEKIT_URL" "LIVEKIT_FULL_ACCESS_HOMESERVERS" -}}
{{- $_ := required (printf "variables.%s is required" .) (include "matrixrtc-auth.variable" (dict "root" $ "name" .)) -}}
{{- end -}}
{{- $has := dict -}}
{{- range $name, $secret := .Values.secrets -}}
{{- if include "matrixrtc-auth.hasSecret" (dict "root" $ "name" $name) -}}
{{- $_ := set $has $name true -}}
{{- end -}}
{{- with $secret -}}
{{- if gt (len (compact (list .existingSecret .existingConfigMap .value))) 1 -}}
{{- fail (printf "secrets.%s: one of existingSecret, existingConfigMap and value, not several" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $key := or $has.LIVEKIT_KEY_FROM_FILE (get .Values.variables "LIVEKIT_KEY") -}}
{{- $secret := or $has.LIVEKIT_SECRET_FROM_FILE $has.LIVEKIT_SECRET -}}
{{- if not (or $has.LIVEKIT_KEY_FILE (and $key $secret)) -}}
{{- fail "LiveKit's API key is missing: set secrets.LIVEKIT_KEY_FILE, or both secrets.LIVEKIT_KEY_FROM_FILE and secrets.LIVEKIT_SECRET_FROM_FILE" -}}
{{- end -}}
{{- if and $has.LIVEKIT_REDIS_URL (get .Values.variables "LIVEKIT_REDIS_URL") -}}
{{- fail "LIVEKIT_REDIS_URL is under variables and under secrets: remove one of the two" -}}
{{- end -}}
{{- $store := include "matrixrtc-auth.variable" (dict "root" $ "name" "LIVEKIT_STORE") -}}
{{- if and (eq $store "memory") (include "matrixrtc-auth.redis" .) -}}
{{- fail "LIVEKIT_STORE is memory, but LIVEKIT_REDIS_URL is set: remove one of the two" -}}
{{- end -}}
{{- if and (eq $store "redis") (not (include "matrixrtc-auth.redis" .)) -}}
{{- fail "LIVEKIT_STORE is redis without LIVEKIT_REDIS_URL" -}}
{{- end -}}
{{- $server := include "matrixrtc-auth.variable" (dict "root" $ "name" "LIVEKIT_HS_SERVER_NAME") -}}
{{- range list "LIVEKIT_AS_REGISTRATION_FILE" "LIVEKIT_AS_TOKEN" "LIVEKIT_HS_TOKEN" "LIVEKIT_MEMBERSHIP_TOKEN_FILE" -}}
{{- if and (get $has .) (not $server) -}}
{{- fail (printf "variables.LIVEKIT_HS_SERVER_NAME is required with secrets.%s" .) -}}
{{- end -}}
{{- end -}}
{{- if and $server (not (or $has.LIVEKIT_AS_REGISTRATION_FILE (and $has.LIVEKIT_AS_TOKEN $has.LIVEKIT_HS_TOKEN) $has.LIVEKIT_MEMBERSHIP_TOKEN_FILE)) -}}
{{- fail "variables.LIVEKIT_HS_SERVER_NAME needs secrets.LIVEKIT_AS_REGISTRATION_FILE, both LIVEKIT_AS_TOKEN and LIVEKIT_HS_TOKEN, or LIVEKIT_MEMBERSHIP_TOKEN_FILE" -}}
{{- end -}}
{{- if and (gt (int .Values.replicaCount) 1) (not (include "matrixrtc-auth.redis" .)) -}}
{{- fail "replicaCount is more than 1 without LIVEKIT_REDIS_URL: each pod would know only the leaves that it was given" -}}
{{- end -}}
{{- if and (or .Values.serviceMonitor.enabled .Values.prometheusRule.enabled) (not (include "matrixrtc-auth.metricsPort" .)) -}}
{{- fail "serviceMonitor and prometheusRule need variables.LIVEKIT_METRICS_BIND" -}}
{{- end -}}
{{- if eq (include "matrixrtc-auth.port" .) (include "matrixrtc-auth.metricsPort" .) -}}
{{- fail "LIVEKIT_JWT_BIND and LIVEKIT_METRICS_BIND are the same port" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.networkPolicy.enabled (not .Values.networkPolicy.metricsFrom) -}}
{{- fail "networkPolicy.metricsFrom is required with serviceMonitor: nobody else reaches the metrics" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host is required: the host name of livekit_service_url" -}}
{{- end -}}
{{- end -}}
