// The smallest workload the lab needs: a page of a public service, and the pod sandbox's pause.
// With `pause` it waits for its end, as a worker does; with `once` it ends at once, as a job or a probe does.
// It stands for the applications of the tenants, which are theirs and not this project's.
package main

import (
	"html/template"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="id"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.TitleID}}</title>
<h1 lang="id">{{.TitleID}}</h1><p lang="en">{{.TitleEN}}</p>
<p><small>{{.Tenant}}: {{.Host}}</small></p></html>
`))

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	if len(os.Args) > 1 && os.Args[1] == "pause" {
		<-stop
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "once" {
		return
	}
	host, _ := os.Hostname()
	facts := struct{ TitleID, TitleEN, Tenant, Host string }{
		os.Getenv("TITLE_ID"), os.Getenv("TITLE_EN"), os.Getenv("TENANT"), host}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		page.Execute(w, facts)
	})
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { <-stop; server.Close() }()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
