package config

// Form is a text that says how the value of a variable is written. Code in this
// text is between backticks.
type Form string

// The forms of values. White space around a value does not count.
const (
	FormText     Form = "text"
	FormSecret   Form = "text that is never shown"
	FormPath     Form = "the path of a file that can be read"
	FormURL      Form = "a URL with `wss://`, `ws://`, `https://` or `http://`, without user name and query"
	FormURLs     Form = "URLs written like `LIVEKIT_URL`, separated by comma or space"
	FormServer   Form = "one server name"
	FormServers  Form = "server names, separated by comma or space; or `*` alone"
	FormServerAt Form = "`server=URL` with `https://` or `http://`, several separated by comma or space"
	FormNetworks Form = "networks like `10.0.0.0/8`, or addresses, separated by comma or space"
	FormProxies  Form = "networks like `10.0.0.0/8`, or addresses, separated by comma or space; or `none`"
	FormHeader   Form = "the name of a header, in any case"
	FormSwitch   Form = "`on`, `true`, `yes`, `1`, or `off`, `false`, `no`, `0`, in any case"
	FormConsent  Form = "`YES_I_KNOW_WHAT_I_AM_DOING`; any other value is ignored, with a warning"
	FormDuration Form = "a duration like `90s`, `10m` or `1h`"
	FormSeconds  Form = "a whole number of seconds, 0 to 86400"
	FormCount    Form = "a whole number, 1 to 1000000"
	FormPort     Form = "a port, 1 to 65535"
	FormBind     Form = "`:port`, `host:port`, `[address]:port`, or `unix:` and an absolute path"
	FormLimit    Form = "`N/min` or `N/min,burst=M`, each from 1 to 1000000; or `off`"
	FormRate     Form = "requests a second from 0.1 to 10000, like `10` or `0.5/s`; or `off`"
	FormLevel    Form = "`debug`, `info`, `warn` or `error`, in any case; anything else is `info`, with a warning"
	FormLog      Form = "`text` or `json`, in any case; anything else is `text`, with a warning"
	FormStore    Form = "`memory`, `redis`, or `file:` and an absolute path"
	FormRedis    Form = "a URL with `redis://`, `rediss://` or `unix://`"
	FormPrefix   Form = "at most 64 letters, digits and signs of ASCII, without braces"
	FormWho      Form = "`off`, `local` or `on`, in any case"
	FormUnseen   Form = "`deny` or `allow`, in any case"
)
