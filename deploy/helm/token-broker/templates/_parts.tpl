{{- define "broker.name" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- end }}

{{- define "broker.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- /* What serves: the job that migrates is another component, and gets no requests. */ -}}
{{- define "broker.selector" -}}
app.kubernetes.io/name: token-broker
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: serve
{{- end }}

{{- define "broker.common" -}}
app.kubernetes.io/name: token-broker
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "broker.labels" -}}
{{ include "broker.common" . }}
app.kubernetes.io/component: serve
{{- end }}

{{- /* Settings, those out of secrets by reference. */ -}}
{{- define "broker.environment" -}}
- {name: BROKER_ISSUER, value: {{ .Values.issuer | quote }}}
- {name: BROKER_DISCORD_CLIENT_ID, value: {{ .Values.discord.clientId | quote }}}
- {name: BROKER_TRUSTED_PROXIES, value: {{ .Values.trustedProxies | quote }}}
{{- range $variable, $reference := dict "BROKER_SECRETS" .Values.secrets.broker "BROKER_DISCORD_CLIENT_SECRET" .Values.secrets.discord "BROKER_DATABASE_URL" .Values.secrets.databaseUrl "BROKER_REDIS_URL" .Values.secrets.redisUrl }}
- {name: {{ $variable }}_FILE, value: /run/secrets/broker/{{ $variable }}}
{{- end }}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end }}

{{- /* The secrets as files: they are in no environment, and in no list of processes. */ -}}
{{- define "broker.volumes" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
    {{- range $variable, $reference := dict "BROKER_SECRETS" .Values.secrets.broker "BROKER_DISCORD_CLIENT_SECRET" .Values.secrets.discord "BROKER_DATABASE_URL" .Values.secrets.databaseUrl "BROKER_REDIS_URL" .Values.secrets.redisUrl }}
      - secret:
          name: {{ $reference.name }}
          items: [{key: {{ $reference.key | quote }}, path: {{ $variable }}}]
    {{- end }}
- {name: tmp, emptyDir: {sizeLimit: 64Mi}}
- {name: data, emptyDir: {sizeLimit: 16Mi}}
{{- end }}

{{- define "broker.mounts" -}}
- {name: secrets, mountPath: /run/secrets/broker, readOnly: true}
- {name: tmp, mountPath: /tmp}
- {name: data, mountPath: /var/lib/broker}
{{- end }}

{{- define "broker.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "broker.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
