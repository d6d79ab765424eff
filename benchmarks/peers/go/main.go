// Go's net/http, on one core by GOMAXPROCS: `go PORT`.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
)

type item struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Price int    `json:"price"`
}

type page struct {
	User    int    `json:"user"`
	Page    int    `json:"page"`
	Q       string `json:"q"`
	Session string `json:"session"`
	Items   []item `json:"items"`
}

var (
	large   = bytes.Repeat([]byte("x"), 1<<20)
	waiting atomic.Int64
	event   = make(chan struct{})
)

func text(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, body)
}

func asJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

func items(w http.ResponseWriter, r *http.Request) {
	user, wrongUser := strconv.Atoi(r.PathValue("user"))
	query := r.URL.Query()
	number, wrongPage := strconv.Atoi(query.Get("page"))
	if wrongUser != nil || wrongPage != nil {
		http.NotFound(w, r)
		return
	}
	session := ""
	if cookie, err := r.Cookie("session"); err == nil {
		session = cookie.Value
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: session, Path: "/", HttpOnly: true})
	list := make([]item, 0, 6)
	for id := number * 5; id < number*5+6; id++ {
		list = append(list, item{id, fmt.Sprintf("%s %d", query.Get("q"), id), id * 100})
	}
	asJSON(w, page{user, number, query.Get("q"), session, list})
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { text(w, "Hello, world") })
	mux.HandleFunc("GET /json", func(w http.ResponseWriter, r *http.Request) {
		asJSON(w, map[string]string{"message": "Hello, world"})
	})
	mux.HandleFunc("GET /users/{user}/items", items)
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("GET /large", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(large)))
		w.Write(large)
	})
	mux.HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		<-event
		text(w, "news")
	})
	mux.HandleFunc("GET /waiting", func(w http.ResponseWriter, r *http.Request) {
		text(w, strconv.FormatInt(waiting.Load(), 10))
	})
	mux.HandleFunc("GET /event", func(w http.ResponseWriter, r *http.Request) {
		close(event)
		text(w, "done")
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Addr: "127.0.0.1:" + os.Args[1], Handler: mux, Protocols: protocols}
	log.Fatal(server.ListenAndServe())
}
