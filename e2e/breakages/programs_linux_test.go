package breakages

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"matrixrtc-auth/e2e/stack"
)

// run starts a program. The program gets its files and addresses from w.
func (w *world) run(ctx context.Context, o *stack.Other) (*stack.Other, error) {
	o.Host = w.host
	return o, o.Start(ctx)
}

// answering returns a function that reports whether a GET of the URL gets the status
// 200. listening returns a function that reports whether a program accepts connections
// at an address.
func answering(url string) func(context.Context) bool {
	return func(ctx context.Context) bool { return stack.Answers(ctx, url) }
}

func listening(address string) func(context.Context) bool {
	return func(ctx context.Context) bool { return stack.Listens(ctx, address) }
}

func startSynapse(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	if _, err := w.host.WriteFile("synapse/homeserver.yaml", []byte(d.homeserver)); err != nil {
		return nil, err
	}
	if _, err := w.host.WriteFile("registration.yaml", []byte(d.registration)); err != nil {
		return nil, err
	}
	return w.run(ctx, &stack.Other{
		Name: "synapse", Program: w.programs.Python, Args: []string{"-m", "synapse.app.homeserver", "-c", "homeserver.yaml"},
		Dir: filepath.Join(w.host.Dir, "synapse"), Env: []string{"SSL_CERT_FILE=" + filepath.Join(w.host.Dir, "root.pem")},
		Ready: answering("http://127.0.0.1:8008/health"),
	})
}

// broken is the first line of a livekit.yaml with which LiveKit does not start. The
// line tells the test not to wait for LiveKit.
const broken = "# LiveKit does not start with this file.\n"

func startLiveKit(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	path, err := w.host.WriteFile("livekit.yaml", []byte(d.livekit))
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o644); err != nil {
		return nil, err
	}
	o := &stack.Other{
		Name: "livekit", Program: w.programs.SFU, Args: []string{"--config", path}, Env: []string{"LIVEKIT_KEYS=" + d.keys, "SSL_CERT_FILE=" + filepath.Join(d.dir, "root.pem")},
		Ready: answering("http://127.0.0.1:7880"),
	}
	if strings.HasPrefix(d.livekit, broken) {
		o.Ready = func(context.Context) bool { return true }
	}
	o, err = w.run(ctx, o)
	if err == nil && d.ahead != 0 {
		err = setAhead(o.ID(), d.ahead)
	}
	return o, err
}

// secondYAML is the configuration file of the second LiveKit.
const secondYAML = `port: 7890
bind_addresses: ["127.0.0.1"]
rtc: {tcp_port: 7891, port_range_start: 21000, port_range_end: 21100, use_external_ip: false, node_ip: ` + public + `}
room: {auto_create: false}
`

func startSecond(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	path, err := w.host.WriteFile("second.yaml", []byte(secondYAML))
	if err != nil {
		return nil, err
	}
	return w.run(ctx, &stack.Other{
		Name: "second", Program: w.programs.SFU, Args: []string{"--config", path}, Env: []string{"LIVEKIT_KEYS=" + d.second},
		Ready: answering("http://127.0.0.1:7890"),
	})
}

func startService(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	if d.own != "" {
		if _, err := w.host.WriteFile("registration.yaml", []byte(d.own)); err != nil { // Synapse has already read the other registration
			return nil, err
		}
	}
	o := &stack.Other{
		Name: "service", Program: w.programs.Service, Env: environment(d.service), Ready: listening("127.0.0.1:8080"),
	}
	if d.service["REFUSED"] != "" {
		o.Ready = func(context.Context) bool { return true }
	}
	return w.run(ctx, o)
}

const nginxConf = `daemon off;
master_process off;
user root;
pid DIR/nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path DIR/nginx-body;
    proxy_temp_path DIR/nginx-proxy;
    fastcgi_temp_path DIR/nginx-fastcgi;
    uwsgi_temp_path DIR/nginx-uwsgi;
    scgi_temp_path DIR/nginx-scgi;
`

func startNginx(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	path, err := w.host.WriteFile("nginx.conf", []byte(strings.ReplaceAll(nginxConf, "DIR", w.host.Dir)+d.nginx+"\n}\n"))
	if err != nil {
		return nil, err
	}
	address := public + ":443"
	if d.haproxy+d.caddy != "" {
		address = "127.0.0.1:8081"
	}
	return w.run(ctx, &stack.Other{
		Name: "nginx", Program: w.programs.Nginx, Args: []string{"-c", path, "-e", "stderr"}, Ready: listening(address),
	})
}

func startHAProxy(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	if err := w.concatenate("haproxy.pem", "chain.pem", "key.pem"); err != nil {
		return nil, err
	}
	path, err := w.host.WriteFile("haproxy.cfg", []byte(d.haproxy))
	if err != nil {
		return nil, err
	}
	return w.run(ctx, &stack.Other{
		Name: "haproxy", Program: w.programs.HAProxy, Args: []string{"-db", "-f", path}, Ready: listening(public + ":443"),
	})
}

func (w *world) concatenate(to string, files ...string) error {
	var all []byte
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(w.host.Dir, file))
		if err != nil {
			return err
		}
		all = append(all, text...)
	}
	_, err := w.host.WriteFile(to, all)
	return err
}

func startCaddy(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	path, err := w.host.WriteFile("Caddyfile", []byte(d.caddy))
	if err != nil {
		return nil, err
	}
	return w.run(ctx, &stack.Other{
		Name: "caddy", Program: w.programs.Caddy, Args: []string{"run", "--config", path, "--adapter", "caddyfile"},
		Ready: listening(public + ":443"),
	})
}
