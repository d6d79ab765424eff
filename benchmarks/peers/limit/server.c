/* The limit: epoll, one read and one write a request, a fixed answer. Of a request it looks at the
   end of the head and at `Connection: close`, no more; what another server costs above this, it
   costs for what it does. Usage: limit PORT */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\n" \
    "Server: limit\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
static const char KEPT[] = HEAD "\r\nHello, world";
static const char LAST[] = HEAD "Connection: close\r\n\r\nHello, world";

static int listen_on(int port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Accepted sockets inherit it. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void watch(int poll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int poll, int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        watch(poll, fd);
    }
}

/* Whether the connection stays open. The load generators send a head in one piece. */
static int answer(int fd) {
    static char buffer[65536];
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 4 || memcmp(buffer + got - 4, "\r\n\r\n", 4)) {
        return 0;
    }
    if (memmem(buffer, got, "Connection: close", 17)) {
        if (write(fd, LAST, sizeof LAST - 1) < 0) {
            perror("write");
        }
        return 0;
    }
    return write(fd, KEPT, sizeof KEPT - 1) > 0;
}

int main(int argc, char **argv) {
    static struct epoll_event events[1024];
    if (argc != 2) {
        fputs("usage: limit PORT\n", stderr);
        return 2;
    }
    int listener = listen_on(atoi(argv[1])), poll = epoll_create1(EPOLL_CLOEXEC);
    watch(poll, listener);
    for (;;) {
        int count = epoll_wait(poll, events, 1024, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(poll, listener);
            } else if (!answer(fd)) {
                close(fd);
            }
        }
    }
}
