package redisurl_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"matrixrtc-auth/internal/redisurl"
)

func TestAccepted(t *testing.T) {
	for text, want := range map[string]struct {
		shape redisurl.Shape
		addrs []string
		shown string
	}{
		"redis://host":                      {redisurl.Server, []string{"host:6379"}, "redis://host"},
		"redis://user:pa%2Fss@host:6380/15": {redisurl.Server, []string{"host:6380"}, "redis://[redacted]@host:6380/15"},
		"rediss://host/0?skip_verify=true":  {redisurl.Server, []string{"host:6379"}, "rediss://host/0?[redacted]"},
		"unix:///run/redis.sock?db=2":       {redisurl.Server, []string{"/run/redis.sock"}, "unix:///run/redis.sock?[redacted]"},
		"redis://[::1]:6379":                {redisurl.Server, []string{"[::1]:6379"}, "redis://[::1]:6379"},
		"redis://host?cluster=false":        {redisurl.Server, []string{"host:6379"}, "redis://host"},
		"redis://host?cluster=":             {redisurl.Server, []string{"host:6379"}, "redis://host"},
		"redis://host?protocol=3":           {redisurl.Server, []string{"host:6379"}, "redis://host?[redacted]"},
		"redis://host?cluster=true":         {redisurl.Cluster, []string{"host:6379"}, "redis://host?cluster=true"},
		"redis://host/0?cluster=true&addr=a:1": {
			redisurl.Cluster, []string{"host:6379", "a:1"}, "redis://host/0?cluster=true&addr=a:1",
		},
		"redis://host?cluster=true&addr=[::1]:7": {
			redisurl.Cluster, []string{"host:6379", "[::1]:7"}, "redis://host?cluster=true&addr=[::1]:7",
		},
		"redis://s1:26379/0?master_name=mymaster&addr=s2:26379": {
			redisurl.Sentinel, []string{"s1:26379", "s2:26379"}, "redis://s1:26379/0?master_name=mymaster&addr=s2:26379",
		},
		"rediss://user:pw@s1:26379/3?addr=s2:1&addr=[::1]:2&master_name=a.b-c_D&username=leave&password=pw": {
			redisurl.Sentinel, []string{"s1:26379", "s2:1", "[::1]:2"},
			"rediss://[redacted]@s1:26379/3?master_name=a.b-c_D&addr=s2:1&addr=[::1]:2&[redacted]",
		},
	} {
		t.Run(text, func(t *testing.T) {
			u, err := redisurl.Parse(text)
			if err != nil {
				t.Errorf("%s: got %v, want no error", text, err)
				return
			}
			if u.Shape() != want.shape || !slices.Equal(u.Addrs(), want.addrs) || u.String() != want.shown {
				t.Errorf("%s: %s of %q, shown as %s, want %s of %q, shown as %s", text, u.Shape(), u.Addrs(), u, want.shape, want.addrs, want.shown)
			}
		})
	}
}

// TestOwners checks which user names and passwords in a URL are for Redis, and
// which are for the Sentinels.
func TestOwners(t *testing.T) {
	o := redisurl.Must("redis://sentinel:spw@s1:26379/7?master_name=mymaster&username=leave&password=rpw").Failover()
	if got, want := fmt.Sprint(o.SentinelUsername, o.SentinelPassword, o.Username, o.Password, o.DB), "sentinel spw leave rpw 7"; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("with Sentinels: %s, want %s", got, want)
	}
	for text, want := range map[string]bool{
		"redis://:pw@host": true, "redis://user@host": false, "redis://host": false,
		"redis://:pw@s:1?master_name=m": false, "redis://s:1?master_name=m&password=pw": true,
	} {
		t.Run(text, func(t *testing.T) {
			if got := redisurl.Must(text).HasPassword(); got != want {
				t.Errorf("%s has Redis' password: %t, want %t", text, got, want)
			}
		})
	}
	for text, want := range map[string]bool{
		"rediss://host?skip_verify=true": true, "rediss://host": false, "redis://host": false,
		"rediss://s:1?master_name=m&skip_verify=true": true, "rediss://s:1?master_name=m": false,
	} {
		t.Run(text, func(t *testing.T) {
			if got := redisurl.Must(text).Unverified(); got != want {
				t.Errorf("%s leaves certificates unchecked: %t, want %t", text, got, want)
			}
		})
	}
}

// TestFaults checks that each error says what is wrong and what to write, and does
// not show the password hunter2.
func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                                                    "begins with none of redis://, rediss:// and unix://",
		"hunter2":                                             "begins with none of redis://, rediss:// and unix://",
		"localhost:6379":                                      "not the URL of a Redis server",
		"redis:6379":                                          "not the URL of a Redis server",
		"redis://:hunter2@host:port/0":                        "not the URL of a Redis server",
		"redis://:hunter2%zz@host":                            "not the URL of a Redis server",
		"rediss://:a b@host":                                  "not the URL of a Redis server",
		"redis://[::1/hunter2":                                "not the URL of a Redis server",
		"redis://:1#hunter2@host":                             "not the URL of a Redis server",
		"redis://:1?hunter2@host":                             "not the URL of a Redis server",
		"http://hunter2@host":                                 "begins with none of redis://, rediss:// and unix://",
		"redis-sentinel://:hunter2@s1:26379":                  "has the scheme of another program",
		"sentinel://s1:26379/mymaster":                        "has the scheme of another program",
		"redis://:hunter2@s1:26379,s2:26379/0":                "has several hosts before its path",
		"redis://h1,h2:6379":                                  "has several hosts",
		"redis://":                                            "has no host",
		"redis://$REDIS_HOST:6379":                            "has a host that is not valid",
		"redis://:hunter2@host:99999999":                      "has a port that is not a number from 1 to 65535",
		"redis://host:0":                                      "has a port that is not a number from 1 to 65535",
		"redis://[::1]":                                       "has an IPv6 address without a port",
		"unix://":                                             "names no socket",
		"unix://run/redis.sock":                               "names no socket",
		"redis://host/hunter2":                                "has a path that is not the number of a database",
		"redis://host/0/1":                                    "has a path that is not the number of a database",
		"redis://host?hunter2=1":                              "has a parameter",
		"redis://host?db=hunter2":                             "has a parameter",
		"redis://host?db=-1":                                  "has a parameter",
		"redis://host?max_retries=hunter2":                    "has a parameter",
		"redis://host?protocol=three":                         "has a parameter",
		"redis://s:1?master_name=m;addr=hunter2:1":            "has parameters that cannot be told apart",
		"redis://host?cluster=true;addr=a:1":                  "has parameters that cannot be told apart",
		"redis://host?client_name=%hunter2":                   "has parameters that cannot be told apart",
		"rediss://host?skip_verify=hunter2":                   "has a parameter, or the value of one",
		"rediss://s:1?master_name=m&skip_verify=hunter2":      "has a parameter, or the value of one",
		"redis://host?cluster=hunter2":                        "asks for a cluster in a form that is not valid",
		"redis://host?cluster=yes":                            "asks for a cluster in a form that is not valid",
		"redis://host/1?cluster=true":                         "asks for a cluster in a form that is not valid",
		"redis://host?db=1&cluster=true":                      "asks for a cluster in a form that is not valid",
		"redis://host?cluster=true&cluster=a":                 "asks for a cluster in a form that is not valid",
		"unix:///hunter2?cluster=true":                        "asks for a cluster in a form that is not valid",
		"redis://host?cluster=true&addr=hunter2":              "asks for a cluster in a form that is not valid",
		"redis://host?cluster=true&addr=:7":                   "asks for a cluster in a form that is not valid",
		"redis://host?cluster=true&addr=a:65536":              "asks for a cluster in a form that is not valid",
		"redis://host?addr=hunter2:1":                         "has further addresses, but says neither cluster nor master_name",
		"redis://host?cluster=false&addr=a:1":                 "has further addresses, but says neither cluster nor master_name",
		"redis://s:1?master_name=m&cluster=true":              "asks for a cluster and for Sentinels at once",
		"unix:///run/s?master_name=m":                         "Sentinels are asked over TCP",
		"redis://s:1?master_name=":                            "has a master_name that is not valid for a Sentinel",
		"redis://s:1?master_name=hunter2%20":                  "has a master_name that is not valid for a Sentinel",
		"redis://s:1?master_name=a&master_name=b":             "has a master_name that is not valid for a Sentinel",
		"redis://s1/0?master_name=m":                          "names a Sentinel without its port",
		"redis://s:1?master_name=m&addr=hunter2":              "has an addr that is not host:port",
		"redis://s:1?master_name=m&addr=:26379":               "has an addr that is not host:port",
		"redis://s:1/hunter2?master_name=m":                   "has a path that is not the number of a database",
		"redis://s:1?master_name=m&sentinel_password=hunter2": "user name and password before the host are the Sentinels'",
		"redis://s:1?master_name=m&db=hunter2":                "has a parameter",
		"redis://s:1?master_name=m&replica_only=true":         "asks for a replica, to which nothing can be written",
		"redis://s:1?master_name=m&route_by_latency=true":     "asks for a replica, to which nothing can be written",
		"redis://s:1?master_name=m&route_randomly=true":       "asks for a replica, to which nothing can be written",
	} {
		t.Run(text, func(t *testing.T) {
			u, err := redisurl.Parse(text)
			switch {
			case err == nil:
				t.Errorf("Parse(%q) = %s, want an error", text, u)
			case !u.IsZero():
				t.Errorf("Parse(%q): got the URL %s beside an error, want none", text, u)
			case !strings.Contains(err.Error(), want):
				t.Errorf("%q: %q, want %q", text, err, want)
			case strings.Contains(err.Error(), "hunter2"):
				t.Errorf("Parse(%q): got the error %q, want no password in it", text, err)
			case !strings.Contains(err.Error(), "; write ") && !strings.Contains(err.Error(), ": write ") && !strings.Contains(err.Error(), "; leave out "):
				t.Errorf("Parse(%q): got the error %q, want what to write", text, err)
			}
		})
	}
}

func TestNothingIsShown(t *testing.T) {
	for _, text := range []string{
		"redis://hunter2:hunter2@host?client_name=hunter2",
		"redis://hunter2:hunter2@s:1?master_name=m&password=hunter2&username=hunter2",
	} {
		t.Run(text, func(t *testing.T) {
			u := redisurl.Must(text)
			holder := struct {
				URL    redisurl.URL
				hidden redisurl.URL
			}{u, u}
			asJSON, err := json.Marshal(holder)
			if err != nil {
				t.Fatal(err)
			}
			for _, shown := range []string{
				u.String(), fmt.Sprintf("%v %+v %#v %s %q %x", u, u, u, u, u, u), fmt.Sprintf("%v %+v %#v", holder, holder, holder),
				fmt.Sprintf("%+v", &holder), string(asJSON), u.LogValue().String(),
			} {
				if strings.Contains(shown, "hunter2") || strings.Contains(shown, fmt.Sprintf("%x", "hunter2")) {
					t.Errorf("%s: got it shown as %s, want no password in it", text, shown)
				}
			}
		})
	}
	if shown := fmt.Sprint(redisurl.URL{}); shown != "" {
		t.Errorf("no URL is shown as %q, want nothing", shown)
	}
}

// FuzzParse checks that no text causes a panic, and that Parse accepts the text
// that String returns for a URL.
func FuzzParse(f *testing.F) {
	f.Add("redis://user:pw@host:6379/0?cluster=true&addr=a:1")
	f.Add("rediss://user:pw@s1:26379/0?master_name=m&addr=s2:26379&password=b")
	f.Add("unix:///run/redis.sock?db=1")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := redisurl.Parse(text)
		if err != nil {
			return
		}
		shown := strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(u.String(), "&[redacted]", ""), "?[redacted]", ""), "[redacted]@", "")
		again, err := redisurl.Parse(shown)
		if err != nil || again.Shape() != u.Shape() || !slices.Equal(again.Addrs(), u.Addrs()) {
			t.Errorf("Parse(%q), shown and read again: got %s of %q (%v), want %s of %q", text, again, again.Addrs(), err, u, u.Addrs())
		}
	})
}
