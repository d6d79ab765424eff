/* The limit: epoll, one read and one write a request, a fixed answer, nothing parsed but the end
   of the head. What a server with real HTTP costs more than this, it costs for what it does. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\n" \
             "Server: limit\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
static const char KEPT[] = HEAD "\r\nHello, world", CLOSED[] = HEAD "Connection: close\r\n\r\nHello, world";

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 8000, one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("listen");
        return 1;
    }
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[1024];
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
    static char buffer[65536];
    for (;;) {
        int count = epoll_wait(poll, events, 1024, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int peer;
                while ((peer = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
                    struct epoll_event added = {.events = EPOLLIN | EPOLLET, .data.fd = peer};
                    epoll_ctl(poll, EPOLL_CTL_ADD, peer, &added);
                }
                continue;
            }
            ssize_t got = read(fd, buffer, sizeof buffer);
            if (got <= 0) {
                close(fd);
                continue;
            }
            if (got < 4 || memcmp(buffer + got - 4, "\r\n\r\n", 4)) continue;
            if (memmem(buffer, got, "Connection: close", 17)) {
                if (write(fd, CLOSED, sizeof CLOSED - 1) >= 0) shutdown(fd, SHUT_WR);
                close(fd);
            } else if (write(fd, KEPT, sizeof KEPT - 1) < 0) {
                close(fd);
            }
        }
    }
}
