/* Load for WebSocket servers, and the bare loop that they are measured against.
 *
 *   load echo PORT CONNECTIONS SECONDS BYTES       each message is answered by the next one
 *   load broadcast PORT CONNECTIONS SECONDS BURST OFFER
 *        the first connection sends a text of one digit, BURST; the server sends so many
 *        messages to all; when all have come the next round begins; OFFER 1 offers deflate
 *   load hold PORT CONNECTIONS                     opens connections and waits for SIGTERM
 *   load limit BYTES                               a server that broadcasts with send()
 *
 * Prints "COUNT SECONDS" at the end; `limit` prints its port at the beginning. The first second
 * is not counted: a line "start" says that counting begins.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 20];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void send_all(int fd, const char *data, size_t size) {
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0) fail("send");
        data += sent;
        size -= sent;
    }
}

/* A client's frame with a mask of zeros. */
static size_t frame(char *out, const char *text, size_t size) {
    size_t at = 0;
    out[at++] = (char)0x81;
    if (size < 126) {
        out[at++] = (char)(0x80 | size);
    } else {
        out[at++] = (char)(0x80 | 126);
        out[at++] = (char)(size >> 8);
        out[at++] = (char)size;
    }
    memset(out + at, 0, 4);
    memcpy(out + at + 4, text, size);
    return at + 4 + size;
}

static int open_socket(int port, int offer) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (fd < 0) fail("socket");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    char request[512];
    int size = snprintf(request, sizeof request,
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
        offer ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    send_all(fd, request, size);
    size_t have = 0;
    /* Byte by byte, so that nothing behind the head is taken. */
    while (have < 4 || memcmp(buffer + have - 4, "\r\n\r\n", 4)) {
        if (recv(fd, buffer + have, 1, 0) != 1) fail("handshake");
        have++;
    }
    if (!memmem(buffer, have, " 101 ", 5)) {
        fprintf(stderr, "%.*s", (int)have, buffer);
        exit(1);
    }
    if (offer && !memmem(buffer, have, "permessage-deflate", 18)) {
        fprintf(stderr, "no compression was agreed on\n");
        exit(1);
    }
    return fd;
}

static int watch(int poll, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

static void echo(int port, int connections, double seconds, int size) {
    int poll = epoll_create1(0);
    char text[65536], message[65600];
    memset(text, 'x', size);
    size_t length = frame(message, text, size);
    long expected = size + (size < 126 ? 2 : 4), count = 0;
    long *have = calloc(1 << 20, sizeof *have);
    int *fds = calloc(connections, sizeof *fds);
    for (int i = 0; i < connections; i++) {
        fds[i] = open_socket(port, 0);
        watch(poll, fds[i]);
    }
    for (int i = 0; i < connections; i++) send_all(fds[i], message, length);
    double begun = now(), counting = 0;
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(poll, events, 256, 1000);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            ssize_t got = recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0) fail("recv");
            have[fd] += got;
            while (have[fd] >= expected) {
                have[fd] -= expected;
                count++;
                send_all(fd, message, length);
            }
        }
        double time = now();
        if (!counting && time - begun >= 1) {
            counting = time;
            count = 0;
            printf("start\n");
            fflush(stdout);
        }
        if (counting && time - counting >= seconds) {
            printf("%ld %f\n", count, time - counting);
            return;
        }
    }
}

/* Where a connection is within a frame. */
struct reading {
    int have;
    unsigned char head[4];
    long left;
};

/* How many frames end within the first bytes of the buffer. */
static long frames_in(struct reading *at, ssize_t got) {
    long ended = 0;
    for (ssize_t i = 0; i < got;) {
        if (at->left) {
            long step = at->left < got - i ? at->left : got - i;
            at->left -= step;
            i += step;
            ended += at->left == 0;
            continue;
        }
        at->head[at->have++] = (unsigned char)buffer[i++];
        int needed = at->have > 1 && at->head[1] == 126 ? 4 : 2;
        if (at->have == needed) {
            at->left = needed == 2 ? at->head[1] : at->head[2] << 8 | at->head[3];
            at->have = 0;
        }
    }
    return ended;
}

static void broadcast(int port, int connections, double seconds, int burst, int offer) {
    int poll = epoll_create1(0), *fds = calloc(connections, sizeof *fds);
    char digit = (char)('0' + burst), trigger[32];
    size_t length = frame(trigger, &digit, 1);
    for (int i = 0; i < connections; i++) {
        fds[i] = open_socket(port, offer);
        watch(poll, fds[i]);
    }
    struct reading *readings = calloc(1 << 16, sizeof *readings);
    long waiting = 0, count = 0;
    double begun = now(), counting = 0;
    struct epoll_event events[1024];
    for (;;) {
        if (waiting == 0) {
            double time = now();
            if (!counting && time - begun >= 1) {
                counting = time;
                count = 0;
                printf("start\n");
                fflush(stdout);
            }
            if (counting && time - counting >= seconds) {
                printf("%ld %f\n", count, time - counting);
                return;
            }
            send_all(fds[0], trigger, length);
            waiting = (long)burst * connections;
            count += waiting;
        }
        int ready = epoll_wait(poll, events, 1024, 5000);
        if (ready <= 0) fail("a message is missing");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            ssize_t got = recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0) fail("recv");
            waiting -= frames_in(&readings[fd], got);
        }
    }
}

static void limit(int size) {
    static int members[4096];
    int listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), count = 0, one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 4096) < 0)
        fail("listen");
    getsockname(listener, (struct sockaddr *)&at, &length);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    static char message[1 << 16];
    message[0] = (char)0x81;
    message[1] = (char)size;
    memset(message + 2, 'x', size);
    watch(poll, listener);
    struct epoll_event events[1024];
    for (;;) {
        int ready = epoll_wait(poll, events, 1024, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int member = accept(listener, 0, 0);
                setsockopt(member, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                members[count++] = member;
                watch(poll, member);
                continue;
            }
            ssize_t got = recv(fd, buffer, sizeof buffer, 0);
            if (got <= 0) exit(0);
            if (buffer[0] == 'G') {
                const char *answer = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
                send_all(fd, answer, strlen(answer));
                continue;
            }
            for (int n = buffer[got - 1] - '0'; n > 0; n--)
                for (int j = 0; j < count; j++) send_all(members[j], message, size + 2);
        }
    }
}

int main(int argc, char **argv) {
    if (argc == 6 && !strcmp(argv[1], "echo"))
        echo(atoi(argv[2]), atoi(argv[3]), atof(argv[4]), atoi(argv[5]));
    else if (argc == 7 && !strcmp(argv[1], "broadcast"))
        broadcast(atoi(argv[2]), atoi(argv[3]), atof(argv[4]), atoi(argv[5]), atoi(argv[6]));
    else if (argc == 4 && !strcmp(argv[1], "hold")) {
        for (int i = atoi(argv[3]); i > 0; i--) open_socket(atoi(argv[2]), 0);
        printf("start\n");
        fflush(stdout);
        pause();
    } else if (argc == 3 && !strcmp(argv[1], "limit"))
        limit(atoi(argv[2]));
    else
        return 2;
    return 0;
}
