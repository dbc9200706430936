/*
 * Guest programs for Remus' tests, demo and measurements, one static binary (scripts/guest-image compiles it).
 * They run inside the guest as any application would; Remus does not need them.
 *
 *   workload dirty PAGES MICROS   writes one byte in each of PAGES distinct pages, once per MICROS
 *   workload counter MICROS       prints an increasing number on the console, once per MICROS
 *   workload echo PORT            answers every line on a TCP connection with the line and an increasing number
 *   workload spin STEPS           computes, and prints an increasing number after each STEPS steps
 *
 * All of them are deterministic: what they write depends only on how many rounds went by or lines came in, never on
 * a clock or on chance. Single-threaded; nothing is allocated after the start. Bad arguments end them with a line
 * on stderr and status 2, a failed system call with status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    LINE_BYTES = 4096,                 /* the longest line that echo takes */
    ANSWER_BYTES = LINE_BYTES + 32,    /* the line, a space, the number, a newline */
    CONNECTIONS_MAX = 64,
    REPORT_MICROS = 5000000,           /* how often dirty says how far it is */
    LOWEST_PRIORITY = 19,              /* as nice(1) counts */
};

#define NEVER_RETURNS __attribute__((noreturn))
#define PAGES_MAX (1ull << 28)         /* 1 TiB: far above any guest here, far below an overflow */
#define MICROS_MAX 3600000000ull
#define STEPS_MAX (1ull << 40)         /* about an hour of software emulation */

__attribute__((noreturn, format(printf, 2, 3))) static void stop(int status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("workload: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

NEVER_RETURNS static void stop_errno(const char *call) {
    stop(1, "%s: %s", call, strerror(errno));
}

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < least || value > most)
        stop(2, "%s=%s is not a number from %llu to %llu", name, text, (unsigned long long)least,
             (unsigned long long)most);
    return value;
}

/* Waits for the next round. A round that came too late moves the ones after it: a burst to catch up would not be
 * the load that was asked for. */
static void await_round(struct timespec *next, uint64_t micros) {
    struct timespec now;
    next->tv_nsec += (long)(micros % 1000000) * 1000;
    next->tv_sec += (time_t)(micros / 1000000) + next->tv_nsec / 1000000000;
    next->tv_nsec %= 1000000000;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > next->tv_sec || (now.tv_sec == next->tv_sec && now.tv_nsec > next->tv_nsec)) {
        *next = now;
        return;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
        continue;
}

NEVER_RETURNS static void dirty(uint64_t pages, uint64_t micros) {
    volatile uint8_t *memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        stop_errno("mmap");
    /* One huge page would be a single entry for the guest's kernel; the host counts 4 KiB pages either way. */
    madvise((void *)memory, pages * PAGE_BYTES, MADV_NOHUGEPAGE);
    uint64_t rounds_per_report = micros < REPORT_MICROS ? REPORT_MICROS / micros : 1;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint64_t round = 1;; round++) {
        /* Each pass over the page writes other values than the one before: one that leaves pages as they are shows
         * nobody who compares memory that it was lost. */
        uint64_t pass = round / PAGE_BYTES;
        for (uint64_t page = 0; page < pages; page++)
            memory[page * PAGE_BYTES + round % PAGE_BYTES] = (uint8_t)(round + pass + page);
        if (round % rounds_per_report == 0) {
            printf("dirty: rounds=%llu pages=%llu\n", (unsigned long long)round, (unsigned long long)pages);
            fflush(stdout);
        }
        await_round(&next, micros);
    }
}

NEVER_RETURNS static void counter(uint64_t micros) {
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (uint64_t count = 1;; count++) {
        printf("counter: %llu\n", (unsigned long long)count);
        fflush(stdout);
        await_round(&next, micros);
    }
}

/* Pure computing: each step needs the result of the one before, so that no compiler can leave one out, and touches no
 * memory. At the lowest priority: what others in the guest do, such as Redis and dirty, is on time beside it. */
NEVER_RETURNS static void spin(uint64_t steps) {
    volatile uint64_t result = 1;
    if (setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY) != 0)
        stop_errno("setpriority");
    for (uint64_t unit = 1;; unit++) {
        uint64_t value = result;
        for (uint64_t step = 0; step < steps; step++)
            value = value * 6364136223846793005u + 1442695040888963407u;
        result = value;
        printf("spin: %llu\n", (unsigned long long)unit);
        fflush(stdout);
    }
}

/* One client. While an answer is unsent, nothing more is read: the client's own window then holds it back. */
struct connection {
    int socket;
    size_t received;
    size_t answered, answer_bytes;
    char line[LINE_BYTES];
    char answer[ANSWER_BYTES];
};

/* Returns false when the connection is to be closed. */
static int send_answer(struct connection *c) {
    while (c->answered < c->answer_bytes) {
        ssize_t n = send(c->socket, c->answer + c->answered, c->answer_bytes - c->answered, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        c->answered += (size_t)n;
    }
    c->answered = c->answer_bytes = 0;
    return 1;
}

/* Answers the complete lines in the buffer, as long as answers go out. Returns false on a line that is too long. */
static int answer_lines(struct connection *c, uint64_t *count) {
    while (c->answer_bytes == 0) {
        char *newline = memchr(c->line, '\n', c->received);
        if (newline == NULL)
            return c->received < sizeof c->line;
        size_t length = (size_t)(newline - c->line);
        size_t text = length > 0 && c->line[length - 1] == '\r' ? length - 1 : length;
        memcpy(c->answer, c->line, text);
        c->answer_bytes = text + (size_t)sprintf(c->answer + text, " %llu\n", (unsigned long long)++*count);
        c->received -= length + 1;
        memmove(c->line, newline + 1, c->received);
        if (!send_answer(c))
            return 0;
    }
    return 1;
}

static int serve(struct connection *c, short events, uint64_t *count) {
    if (events & POLLOUT)
        return send_answer(c) && answer_lines(c, count);
    ssize_t n = recv(c->socket, c->line + c->received, sizeof c->line - c->received, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->received += (size_t)n;
    return n > 0 && answer_lines(c, count);
}

static int listening_socket(uint16_t port) {
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        stop_errno("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
        stop_errno("bind");
    if (listen(listener, CONNECTIONS_MAX) != 0)
        stop_errno("listen");
    return listener;
}

NEVER_RETURNS static void echo(uint16_t port) {
    static struct connection connections[CONNECTIONS_MAX];
    struct pollfd polls[CONNECTIONS_MAX + 1];
    uint64_t count = 0;
    size_t open = 0;
    int one = 1;
    int listener = listening_socket(port);
    for (;;) {
        /* A negative descriptor is ignored by poll: at the limit, new clients wait in the listener's backlog. */
        polls[0] = (struct pollfd){.fd = open < CONNECTIONS_MAX ? listener : -1, .events = POLLIN};
        for (size_t i = 0; i < open; i++)
            polls[i + 1] = (struct pollfd){.fd = connections[i].socket,
                                           .events = connections[i].answer_bytes > 0 ? POLLOUT : POLLIN};
        if (poll(polls, open + 1, -1) < 0 && errno != EINTR)
            stop_errno("poll");
        for (size_t i = open; i-- > 0;) {
            if (polls[i + 1].revents == 0 || serve(&connections[i], polls[i + 1].revents, &count))
                continue;
            close(connections[i].socket);
            connections[i] = connections[--open];
        }
        if (polls[0].revents & POLLIN) {
            int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (client < 0)
                continue;
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            connections[open].socket = client;
            connections[open].received = connections[open].answered = connections[open].answer_bytes = 0;
            open++;
        }
    }
}

int main(int count, char **words) {
    const char *verb = count > 1 ? words[1] : "";
    if (strcmp(verb, "dirty") == 0 && count == 4)
        dirty(number("pages", words[2], 1, PAGES_MAX), number("micros", words[3], 1000, MICROS_MAX));
    if (strcmp(verb, "counter") == 0 && count == 3)
        counter(number("micros", words[2], 1000, MICROS_MAX));
    if (strcmp(verb, "echo") == 0 && count == 3)
        echo((uint16_t)number("port", words[2], 1, 65535));
    if (strcmp(verb, "spin") == 0 && count == 3)
        spin(number("steps", words[2], 1, STEPS_MAX));
    stop(2, "usage: workload dirty PAGES MICROS | counter MICROS | echo PORT | spin STEPS");
}
