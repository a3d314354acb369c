package doctor_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
)

func (s *stack) start() {
	service := httptest.NewServer(s.newService())
	s.t.Cleanup(service.Close)
	s.inside = service.URL
	if s.env["LIVEKIT_JWT_BIND"] == "" {
		s.env["LIVEKIT_JWT_BIND"] = service.Listener.Addr().String()
	}
	lk := httptest.NewServer(s.livekit(s.newLiveKit()))
	s.t.Cleanup(lk.Close)
	s.route("tcp", "10.0.0.7:7880", lk.Listener.Addr().String())

	s.serve(apexIP+":443", apexHost, s.wellKnown(apexHost))
	s.serve(apexIP6+":443", apexIP6, s.wellKnown(apexHost))
	s.serve(apexIP+":8448", apexHost, s.fed(s.newFederationAPI()))
	s.serve(matrixIP+":443", matrixHost, s.client(s.newClientAPI()))
	s.serve(jwtIP+":443", jwtHost, s.jwtProxy(s.proxy(service.URL, s.visitor)))
	s.serve(sfuIP+":443", sfuHost, s.sfuProxy(withoutTwirp(s.proxy(lk.URL, ""))))
	s.route("tcp", "203.0.113.4:443", s.routes["tcp "+sfuIP+":443"])
	s.startMedia()
}

// proxy returns a reverse proxy that forwards requests to the URL to. It writes client,
// the address of the client, into the headers in s.tells. If client is "", it adds no
// header.
func (s *stack) proxy(to, client string) http.Handler {
	target, _ := url.Parse(to)
	return &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if client == "" {
				return
			}
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"] // like nginx, the proxy keeps the client's header
			for _, name := range s.tells {
				if !s.appends {
					r.Out.Header.Del(name)
				}
				r.Out.Header.Add(name, client)
			}
		},
	}
}

func withoutTwirp(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/twirp") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
