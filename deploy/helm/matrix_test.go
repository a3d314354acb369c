package helm

import (
	"fmt"
	"testing"
)

const (
	asToken  = "as-token-of-the-chart-0123456789abcdef"
	hsToken  = "hs-token-of-the-chart-0123456789abcdef"
	password = `p:a/s#s@w%o?r&d "raw" \$(HOME)`
	keys     = "livekit: 0123456789abcdef0123456789abcdef\n"
)

const registration = `id: matrix-rtc
as_token: ` + asToken + `
hs_token: ` + hsToken + `
sender_localpart: matrix-rtc
url: null
rate_limited: false
namespaces:
  users:
    - exclusive: false
      regex: "^@.*:example\\.org$"
io.element.msc4502.scopes: ["urn:matrix:client:io.element.msc4502:rooms:is_joined"]
io.element.msc4512.proxy_prefix: rtc/livekit
io.element.msc4512.proxy_url: "http://matrixrtc-auth.matrix.svc:8080"
`

// there returns the Secrets and the ConfigMap that already exist in the
// cluster.
func there(t *testing.T) map[string]map[string]string {
	return map[string]map[string]string{
		"livekit": {"keys.yaml": keys, "name": "livekit\n", "secret": "0123456789abcdef0123456789abcdef\n"},
		"redis":   {"password": password, "url": "redis://sentinel:26379/0?master_name=calls"},
		"rtc":     {"registration.yaml": registration, "as": asToken, "hs": hsToken, "account": "syt_an-account"},
		"trusted": {"ca.crt": authority(t)},
	}
}

// least holds the values that every deployment needs.
const least = `
image: {repository: registry.example.org/matrixrtc-auth}
variables:
  LIVEKIT_URL: wss://sfu.example.org
  LIVEKIT_FULL_ACCESS_HOMESERVERS: example.org
`

const (
	memoryStore = "persistence: {enabled: false}\nvariables: {LIVEKIT_STORE: memory}"
	redisStore  = `{replicaCount: 3, shutdownDelaySeconds: 20, variables: {LIVEKIT_REDIS_URL: "redis://redis:6379/0"},
  secrets: {LIVEKIT_REDIS_PASSWORD_FROM_FILE: {existingSecret: redis, key: password}}}`
	sentinels = `{replicaCount: 2, secrets: {LIVEKIT_REDIS_URL: {existingSecret: redis, key: url}, LIVEKIT_REDIS_PASSWORD: {existingSecret: redis, key: password}}}`
)

// dimensions holds three lists of values: the store of leaves, LiveKit's key,
// and the source that says who is joined. The tests try each combination of one
// entry from each list, because these values can affect each other.
var dimensions = [][]string{
	{ // the store of leaves
		"", memoryStore, redisStore, sentinels,
		"persistence: {existingClaim: old, size: 2Gi, storageClassName: fast, accessModes: [ReadWriteOncePod]}",
	},
	{ // the source of LiveKit's key
		"secrets: {LIVEKIT_KEY_FILE: {existingSecret: livekit}}",
		"secrets: {LIVEKIT_KEY_FILE: {value: \"livekit: 0123456789abcdef0123456789abcdef\"}}",
		"secrets: {LIVEKIT_KEY_FROM_FILE: {existingSecret: livekit, key: name}, LIVEKIT_SECRET_FROM_FILE: {existingSecret: livekit, key: secret}}",
		"{variables: {LIVEKIT_KEY: livekit}, secrets: {LIVEKIT_SECRET: {existingSecret: livekit, key: secret}}}",
	},
	{ // the source that says who is joined
		"",
		"{variables: {LIVEKIT_HS_SERVER_NAME: example.org}, secrets: {LIVEKIT_AS_REGISTRATION_FILE: {existingSecret: rtc}}}",
		fmt.Sprintf("{variables: {LIVEKIT_HS_SERVER_NAME: example.org, LIVEKIT_REQUIRE_MEMBERSHIP: on}, secrets: {LIVEKIT_AS_REGISTRATION_FILE: {value: %q}}}", registration),
		"{variables: {LIVEKIT_HS_SERVER_NAME: example.org}, secrets: {LIVEKIT_AS_TOKEN: {existingSecret: rtc, key: as}, LIVEKIT_HS_TOKEN: {existingSecret: rtc, key: hs}}}",
		"{variables: {LIVEKIT_HS_SERVER_NAME: example.org, LIVEKIT_REQUIRE_MEMBERSHIP: local}, secrets: {LIVEKIT_MEMBERSHIP_TOKEN_FILE: {existingSecret: rtc, key: account}}}",
	},
}

// besides holds more lists of values. These values are independent of each
// other and of the dimensions, so the tests skip most of their combinations. To
// each combination of the dimensions, the tests add one entry of each list.
var besides = [][]string{
	{
		"",
		"{ingress: {enabled: true, host: jwt.example.org, className: nginx, tlsSecret: jwt-tls, annotations: {cert-manager.io/cluster-issuer: letsencrypt}}}",
		"{ingress: {enabled: true, host: jwt.example.org, homeserver: true}}",
		"{ingress: {enabled: true, host: jwt.example.org, webhook: false}, variables: {LIVEKIT_TEST_PAGE: off}}",
	},
	{
		"",
		"variables: {LIVEKIT_METRICS_BIND: \"\"}",
		"{serviceMonitor: {enabled: true, interval: 30s, labels: {release: prometheus}}, prometheusRule: {enabled: true, labels: {release: prometheus}}}",
	},
	{
		"",
		"networkPolicy: {enabled: true, metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}",
		"{networkPolicy: {enabled: true, from: [{namespaceSelector: {}}], metricsFrom: [{podSelector: {matchLabels: {app: prometheus}}}], egress: true, egressTo: [{podSelector: {}}]}}",
	},
	{
		"",
		"{variables: {LIVEKIT_MAX_JOBS: 1000000, LIVEKIT_RATE_LIMIT: off, LIVEKIT_DELAYED_EVENT_RATE: 0.5, LIVEKIT_LOG_FORMAT: null, LIVEKIT_JWT_BIND: \":18080\"}}",
		"{secrets: {LIVEKIT_CA_FILE: {existingConfigMap: trusted}}, service: {type: LoadBalancer, port: 80, annotations: {a: b}}, podDisruptionBudget: {enabled: false}, topologySpread: {keys: []}}",
		`{image: {digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullSecrets: [{name: registry}]}, extraEnv: [{name: GOMEMLIMIT, value: 100MiB}],
  podAnnotations: {a: b}, podLabels: {team: rtc}, nodeSelector: {kubernetes.io/os: linux}, tolerations: [{operator: Exists}], priorityClassName: high,
  affinity: {podAntiAffinity: {}}, resources: null, nameOverride: rtc}`,
	},
}

// forEach calls the function do for every combination of the entries in the
// variable dimensions. To each combination it adds one entry of each list in the
// variable besides.
func forEach(t *testing.T, do func(t *testing.T, texts []string)) {
	n := 0
	for _, store := range dimensions[0] {
		for _, key := range dimensions[1] {
			for _, joined := range dimensions[2] {
				texts := []string{least, store, key, joined}
				// The entries of the lists change at different intervals, so that many
				// combinations occur.
				for i, rhythm := range []int{1, 3, 9, 2} {
					texts = append(texts, besides[i][n/rhythm%len(besides[i])])
				}
				t.Run(fmt.Sprint(n), func(t *testing.T) { do(t, texts) })
				n++
			}
		}
	}
}
