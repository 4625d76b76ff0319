/* A small web server: a thread for each connection, one request on each.
 *
 *   server PORT graceful|abrupt|deaf [WORK_MS [START_MS]]
 *       graceful: on SIGTERM it takes no more connections, finishes those it has and ends, as servers should.
 *       abrupt:   on SIGTERM it ends at once. deaf: it does not care.
 *       It works WORK_MS on each request, and begins to listen START_MS after it was started.
 *   server PORT check
 *       ends with 0 when it is answered there: a health check.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t ending;
static atomic_int open_connections;
static int work_ms;

static void on_term(int number) { (void)number; ending = 1; }
static void end_now(int number) { (void)number; _exit(0); }

static void *serve(void *argument) {
    int connection = (int)(long)argument;
    char request[4096];
    size_t length = 0;
    ssize_t got;
    while (length < sizeof request - 1 && (got = read(connection, request + length, sizeof request - 1 - length)) > 0) {
        length += (size_t)got;
        request[length] = 0;
        if (strstr(request, "\r\n\r\n")) {
            static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
            usleep((useconds_t)work_ms * 1000);
            if (write(connection, answer, sizeof answer - 1) < 0) perror("write");
            break;
        }
    }
    shutdown(connection, SHUT_WR);
    close(connection);
    open_connections--;
    return NULL;
}

static struct sockaddr_in address_of(const char *port, in_addr_t where) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    address.sin_addr.s_addr = where;
    return address;
}

static int check(const char *port) {
    struct sockaddr_in address = address_of(port, htonl(INADDR_LOOPBACK));
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    char answer[64] = "";
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) return 1;
    if (write(connection, "GET / HTTP/1.1\r\n\r\n", 18) != 18) return 1;
    return read(connection, answer, sizeof answer - 1) > 0 && strstr(answer, "200 OK") ? 0 : 1;
}

int main(int count, char **words) {
    if (count < 3) return 2;
    if (strcmp(words[2], "check") == 0) return check(words[1]);
    work_ms = count > 3 ? atoi(words[3]) : 0;
    struct sigaction action = {.sa_handler = on_term}; /* without SA_RESTART, so that accept ends */
    if (strcmp(words[2], "abrupt") == 0) action.sa_handler = end_now;
    if (strcmp(words[2], "deaf") == 0) action.sa_handler = SIG_IGN;
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (count > 4) usleep((useconds_t)atoi(words[4]) * 1000);
    struct sockaddr_in address = address_of(words[1], htonl(INADDR_ANY));
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 512) != 0) {
        perror("listen");
        return 1;
    }
    printf("listening on %s\n", words[1]);
    fflush(stdout);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    sigset_t term, none;
    sigemptyset(&none);
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL); /* it comes only where it is waited for */
    struct pollfd waiting = {.fd = listener, .events = POLLIN};
    while (!ending) {
        if (ppoll(&waiting, 1, NULL, &none) <= 0) continue;
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) continue;
        pthread_t thread;
        open_connections++;
        if (pthread_create(&thread, &small, serve, (void *)(long)connection) != 0) serve((void *)(long)connection);
    }
    close(listener);
    while (open_connections > 0) usleep(1000);
    return 0;
}
