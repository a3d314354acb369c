package connlimit

import (
	"bufio"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// watchDelay is how long a request may be in progress until net/http starts to
// watch for a client that disconnects.
const watchDelay = 50 * time.Millisecond

// watch delays net/http's own watch for a client that disconnects.
//
// When net/http has read a body, it starts a goroutine that reads one byte
// ahead, and ends it before the next request. That wakes another thread twice.
// With one connection that took a quarter of the CPU time of a request for a
// token. Most requests end before a disconnect could matter. So net/http's watch
// begins only if the request is still in progress after watchDelay.
type watch struct {
	hook func() // what net/http calls at the end of a body

	mu    sync.Mutex
	begin func()      // net/http's own function, which starts its watch
	due   bool        // the body has ended, and the handler still runs
	timer *time.Timer // nil until the first body has ended
}

// delay makes net/http call w instead of its own function when body ends. It
// must be called before body is read. Of a body that net/http made differently
// than this program knows, it changes nothing.
func (w *watch) delay(body io.ReadCloser) {
	atEnd := endHook(body)
	if atEnd == nil || *atEnd == nil {
		return
	}
	if w.hook == nil {
		w.hook = w.bodyEnded
	}
	w.begin, *atEnd = *atEnd, w.hook
}

// bodyEnded is called when the body has been read to its end. After the handler
// has returned, net/http reads the rest by itself and needs no watch.
func (w *watch) bodyEnded() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begin == nil {
		return
	}
	w.due = true
	if w.timer == nil {
		w.timer = time.AfterFunc(watchDelay, w.start)
	} else {
		w.timer.Reset(watchDelay)
	}
}

// start starts net/http's watch, unless the request has ended.
func (w *watch) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due {
		w.due = false
		w.begin()
	}
}

// end must be called when the handler has returned, because net/http then ends
// its watch: none may begin later.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.due {
		w.timer.Stop()
	}
	w.due, w.begin = false, nil
}

// endHook returns where net/http keeps the function that it calls at the end of
// body; nil if that is unknown.
func endHook(body io.ReadCloser) *func() {
	hook := findHook()
	if hook.of == nil || reflect.TypeOf(body) != hook.of {
		return nil
	}
	return (*func())(unsafe.Add(reflect.ValueOf(body).UnsafePointer(), hook.offset))
}

// hookField is a field of the type that net/http's bodies have.
type hookField struct {
	of     reflect.Type // a pointer to a struct; nil if there is no such field
	offset uintptr
}

// findHook looks for the field in the body of a request that net/http has read.
// net/http offers no other way to it. If another version of net/http has no
// such field, requests only cost more (TestHookIsKnown).
var findHook = sync.OnceValue(func() hookField {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")))
	if err != nil {
		return hookField{}
	}
	of := reflect.TypeOf(r.Body)
	if of.Kind() != reflect.Pointer || of.Elem().Kind() != reflect.Struct {
		return hookField{}
	}
	field, ok := of.Elem().FieldByName("onHitEOF")
	if !ok || len(field.Index) != 1 || field.Type != reflect.TypeFor[func()]() {
		return hookField{}
	}
	return hookField{of, field.Offset}
})
