/* Clients in a loop, each request on a connection of its own, the name asked for anew each time as HTTP clients do.
 *
 *   client NAME PORT CLIENTS RETRY_MS
 *
 * until SIGTERM.
 *
 * A request fails when it is not answered with 200. With RETRY_MS, one whose connection was refused or reset (or closed
 * without a word) is tried again, on an address asked for anew, until that time has gone by. Prints one line of JSON:
 * requests, what failed by kind, the longest time without any success in ms, and the slowest request that was answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum kind { OK, REFUSED, RESET, NO_NAME, NO_ROUTE, TIMEOUT, OTHER, KINDS };
static const char *const names[] = {"ok", "refused", "reset", "no_name", "no_route", "timeout", "other"};
static const char *name;
static int port, retry_ms;
static in_addr_t dns;
static volatile sig_atomic_t ended;
static atomic_long counted[KINDS], retried;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static double last_success, longest_gap, slowest;

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec * 1000 + (double)moment.tv_nsec / 1e6;
}

/* The engine's name server: 127.0.0.11 in a container of Docker, the network's gateway in one of Podman. */
static in_addr_t name_server(void) {
    FILE *file = fopen("/etc/resolv.conf", "r");
    char line[256], address[64] = "";
    while (file && !*address && fgets(line, sizeof line, file)) sscanf(line, "nameserver %63s", address);
    if (file) fclose(file);
    return inet_addr(address);
}

/* The first IPv4 address in the answer of the engine's name server; 0 when it has none. */
static in_addr_t resolve(unsigned short id) {
    unsigned char packet[512] = {id >> 8, id & 255, 1, 0, 0, 1};
    size_t length = 12;
    for (const char *part = name; *part;) {
        size_t size = strcspn(part, ".");
        packet[length++] = (unsigned char)size;
        memcpy(packet + length, part, size);
        length += size;
        part += size + (part[size] == '.');
    }
    memcpy(packet + length, "\0\0\1\0\1", 5);
    length += 5;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
    server.sin_addr.s_addr = dns;
    int channel = socket(AF_INET, SOCK_DGRAM, 0);
    struct timeval wait = {.tv_sec = 2};
    setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    sendto(channel, packet, length, 0, (struct sockaddr *)&server, sizeof server);
    ssize_t got = recv(channel, packet, sizeof packet, 0);
    close(channel);
    if (got < (ssize_t)length + 16 || (packet[6] << 8 | packet[7]) == 0) return 0;
    in_addr_t found;
    size_t at = length;
    at += (packet[at] & 0xc0) == 0xc0 ? 2 : strlen((char *)packet + at) + 1;
    memcpy(&found, packet + at + 10, 4);
    return found;
}

static enum kind kind_of(int error) {
    switch (error) {
    case ECONNREFUSED: return REFUSED;
    case ECONNRESET: case EPIPE: return RESET;
    case EHOSTUNREACH: case ENETUNREACH: return NO_ROUTE;
    case EAGAIN: case ETIMEDOUT: case EINPROGRESS: return TIMEOUT;
    default: return OTHER;
    }
}

static enum kind ask(unsigned short id) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    if ((server.sin_addr.s_addr = resolve(id)) == 0) return NO_NAME;
    int connection = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval wait = {.tv_sec = 5};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    char request[256], answer[256] = "";
    int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", name);
    enum kind result = OK;
    if (connect(connection, (struct sockaddr *)&server, sizeof server) != 0) result = kind_of(errno);
    else if (send(connection, request, (size_t)length, MSG_NOSIGNAL) != length) result = kind_of(errno);
    else {
        ssize_t got = recv(connection, answer, sizeof answer - 1, 0);
        if (got < 0) result = kind_of(errno);
        else if (got == 0) result = RESET;
        else if (!strstr(answer, "200 OK")) result = OTHER;
    }
    close(connection);
    return result;
}

static void *run(void *argument) {
    unsigned short id = (unsigned short)((long)argument * 4099);
    while (!ended) {
        double began = now();
        enum kind result = ask(++id);
        while ((result == REFUSED || result == RESET) && now() - began < retry_ms) {
            retried++;
            usleep(20000);
            result = ask(++id);
        }
        double done = now();
        counted[result]++;
        if (result == OK) {
            pthread_mutex_lock(&lock);
            if (done - last_success > longest_gap) longest_gap = done - last_success;
            if (done - began > slowest) slowest = done - began;
            last_success = done;
            pthread_mutex_unlock(&lock);
        }
        usleep(2000);
    }
    return NULL;
}

static void stop(int number) { (void)number; ended = 1; }

int main(int count, char **words) {
    if (count != 5) return 2;
    signal(SIGTERM, stop);
    name = words[1];
    port = atoi(words[2]);
    int clients = atoi(words[3]);
    retry_ms = atoi(words[4]);
    dns = name_server();
    last_success = now();
    pthread_t threads[64];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (long i = 0; i < clients && i < 64; i++) pthread_create(&threads[i], &small, run, (void *)(i + 1));
    for (int i = 0; i < clients && i < 64; i++) pthread_join(threads[i], NULL);
    if (now() - last_success > longest_gap) longest_gap = now() - last_success;
    long all = 0;
    for (int i = 0; i < KINDS; i++) all += counted[i];
    printf("{\"requests\": %ld, \"retried\": %ld", all, (long)retried);
    for (int i = 0; i < KINDS; i++) printf(", \"%s\": %ld", names[i], (long)counted[i]);
    printf(", \"longest_gap_ms\": %.0f, \"slowest_ms\": %.0f}\n", longest_gap, slowest);
    return 0;
}
