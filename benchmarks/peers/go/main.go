// Go's net/http on one core.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
)

var users = regexp.MustCompile(`^/users/(\d+)/items$`)

func items(w http.ResponseWriter, r *http.Request) {
	match := users.FindStringSubmatch(r.URL.Path)
	if match == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "Hello, world")
		return
	}
	query := r.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	session := ""
	if cookie, err := r.Cookie("session"); err == nil {
		session = cookie.Value
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: session, Path: "/", HttpOnly: true})
	w.Header().Set("Content-Type", "application/json")
	list := []map[string]any{}
	for number := range 5 {
		list = append(list, map[string]any{"id": number, "name": "item " + strconv.Itoa(number)})
	}
	json.NewEncoder(w).Encode(map[string]any{"user": match[1], "page": page, "q": query.Get("q"), "session": session, "items": list})
}

func main() {
	large := bytes.Repeat([]byte("x"), 1<<20)
	http.HandleFunc("/", items)
	http.HandleFunc("/json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"message": "Hello, world"})
	})
	http.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) { w.Write(large) })
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Write(body)
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Addr: "127.0.0.1:" + os.Args[1], Protocols: protocols}
	panic(server.ListenAndServe())
}
