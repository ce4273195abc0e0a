/* A BGP neighbour that does nothing but tell routes, as fast as its peer takes them.
 *
 * bgp_feed --local ADDR --peer ADDR [--as N] [--peer-as N] [--hold S] (--prefixes N [--per-set N] | --mrt FILE)
 *
 * The UPDATEs are made before the session. Commands on stdin: announce, withdraw, quit; each is answered by a line of JSON when
 * the last octet has been handed to the kernel. The first line says that the session is there. quit says the longest silence
 * of the peer since then. Keepalives are sent when nothing else is under way.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "bgp/update.h"
#include "bgp/wire.h"
#include "perf/mrt.h"

enum { CONNECT_TRIES = 200, CONNECT_PAUSE_MS = 50, SEND_MAX = 1 << 20, PREFIXES_MAX = 1 << 22 };

struct stream {
	uint8_t *b;
	size_t len, cap;
	uint32_t prefixes, sets; /* as told: a prefix may come again */
};

struct feed {
	struct ip_addr local, peer;
	uint32_t as, peer_as, prefixes, per_set;
	uint32_t left_out; /* messages of the recording */
	uint16_t hold_s;
	const char *mrt;
	struct stream announce, withdraw;
	struct update_build gone; /* the withdrawal that is being filled */
	uint8_t gone_buf[BGP_MSG_MAX];
	int fd;
	bool opened, up;
	uint8_t in[65536];
	size_t in_len;
	double heard_ms, silence_ms, keepalive_ms;
};

static void die(const char *what)
{
	fprintf(stderr, "bgp_feed: %s\n", what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- what is to be sent --- */

static void append(struct stream *s, const uint8_t *p, size_t len)
{
	if (s->len + len > s->cap) {
		s->cap = s->cap * 2 + (1 << 20);
		s->b = xrealloc(s->b, s->cap, 1);
	}
	memcpy(s->b + s->len, p, len);
	s->len += len;
}

static void withdraw(struct feed *f, const struct ip_prefix *p)
{
	if (p && update_build_add(&f->gone, p))
		return;
	append(&f->withdraw, f->gone_buf, update_build_end(&f->gone));
	update_build_withdraw(&f->gone, f->gone_buf, sizeof(f->gone_buf), IP_V4);
	if (p && !update_build_add(&f->gone, p))
		die("a withdrawal takes no prefix");
}

static void announce(struct feed *f, const struct bgp_attrs *a, const struct bgp_codec *c, const struct ip_prefix *p,
		     unsigned n)
{
	uint8_t buf[BGP_MSG_MAX];
	struct update_build b;

	update_build_announce(&b, buf, sizeof(buf), a, c, IP_V4);
	for (unsigned i = 0; i < n; i++) {
		if (!update_build_add(&b, &p[i])) {
			append(&f->announce, buf, update_build_end(&b));
			update_build_announce(&b, buf, sizeof(buf), a, c, IP_V4);
			if (!update_build_add(&b, &p[i]))
				die("a set of attributes fills a message");
		}
		withdraw(f, &p[i]);
	}
	append(&f->announce, buf, update_build_end(&b));
	f->announce.prefixes += n;
	f->announce.sets++;
}

/* Sets of four ASes and two communities: with six prefixes 90 octets a message, 15.0 MB a million. */
static void synthesize(struct feed *f, const struct bgp_codec *c)
{
	for (uint32_t i = 0; i < f->prefixes; i += f->per_set) {
		uint32_t set = i / f->per_set;
		uint32_t as[4] = {f->as, 3356 + set % 40, 10000 + set % 3000, 100000 + set};
		struct bgp_attrs_draft d = {.a = {.nexthop = f->local}};
		uint8_t path[18] = {BGP_AS_SEQUENCE, 4}, comm[8];
		struct ip_prefix p[256];
		unsigned n = 0;

		for (unsigned k = 0; k < 16; k++)
			path[2 + k] = (uint8_t)(as[k / 4] >> (24 - k % 4 * 8));
		for (unsigned k = 0; k < 8; k++)
			comm[k] =
				(uint8_t)((k < 4 ? 65002u << 16 | set % 100 : 65002u << 16 | 1000) >> (24 - k % 4 * 8));
		if (attr_set_part(&d, 0, path, sizeof(path)) || attr_set_part(&d, 1, comm, sizeof(comm)))
			die("attributes");
		for (; n < f->per_set && i + n < f->prefixes; n++)
			/* /24s of 1.0.0.0 to 64.255.255.0, each once, in no order */
			p[n] = (struct ip_prefix){.addr = ip_v4(0x01000000u + ((i + n) * 7368787u % PREFIXES_MAX << 8)),
						  .len = 24};
		announce(f, &d.a, c, p, n);
	}
}

/* As the collector heard it, told by us: our AS in front, our next hop. */
static void replay(struct feed *f, const struct bgp_codec *c)
{
	static struct bgp_update u;
	static struct ip_prefix p[BGP_MSG_MAX];
	struct bgp_codec theirs = *c;
	char err[256];
	struct mrt *m = mrt_open(f->mrt, err, sizeof(err));
	uint8_t buf[BGP_MSG_MAX];
	struct bgp_error why;
	size_t len;

	if (!m)
		die(err);
	theirs.local_as = f->peer_as;
	theirs.peer_as = f->as;
	while ((len = mrt_next(m, f->as, buf))) {
		unsigned n = 0;

		/* what a speaker of today treats as withdrawn (AS_SET, RFC 9774) is nothing to compare */
		if (update_decode(rd_of(buf + BGP_HDR, len - BGP_HDR), &theirs, &u, &why) > BGP_DISCARD_ATTR) {
			f->left_out++;
			continue;
		}
		while (n < BGP_MSG_MAX && update_next(&u.announce_v4, IP_V4, &p[n]))
			n++;
		u.attrs.a.nexthop = f->local;
		if (n)
			announce(f, &u.attrs.a, c, p, n);
	}
	mrt_close(m);
}

static void prepare(struct feed *f)
{
	struct bgp_codec c = {.as4 = true,
			      .mp_v4 = true,
			      .local_as = f->as,
			      .peer_as = f->peer_as,
			      .local = f->local,
			      .remote = f->peer};

	update_build_withdraw(&f->gone, f->gone_buf, sizeof(f->gone_buf), IP_V4);
	if (f->mrt)
		replay(f, &c);
	else
		synthesize(f, &c);
	withdraw(f, NULL);
}

static int cmp_prefix(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* How many prefixes the peer will have. */
static uint32_t distinct(const struct feed *f)
{
	uint64_t *key = xcalloc(f->announce.prefixes + 1ul, sizeof(*key));
	struct rd all = rd_of(f->withdraw.b, f->withdraw.len);
	uint32_t n = 0, different = 0;
	struct ip_prefix p;

	while (rd_left(&all)) {
		struct rd nlri;

		rd_skip(&all, BGP_HDR);
		nlri = rd_sub(&all, rd_u16(&all));
		rd_skip(&all, 2);
		while (update_next(&nlri, IP_V4, &p))
			key[n++] = (uint64_t)ip_v4_u32(&p.addr) << 8 | p.len;
	}
	qsort(key, n, sizeof(*key), cmp_prefix);
	for (uint32_t i = 0; i < n; i++)
		different += i == 0 || key[i] != key[i - 1];
	free(key);
	return different;
}

/* --- the session --- */

static void listen_to(struct feed *f)
{
	ssize_t n = recv(f->fd, f->in + f->in_len, sizeof(f->in) - f->in_len, MSG_DONTWAIT);
	double now = now_ms();

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		die("the peer has closed the connection");
	f->in_len += (size_t)n;
	while (f->in_len >= BGP_HDR) {
		size_t len = f->in[16] * 256u + f->in[17];

		if (len < BGP_HDR || len > BGP_MSG_MAX)
			die("a header that is none");
		if (f->in_len < len)
			break;
		if (f->in[18] == BGP_NOTIFICATION) {
			fprintf(stderr, "bgp_feed: NOTIFICATION %u/%u\n", f->in[19], f->in[20]);
			exit(1);
		}
		f->opened |= f->in[18] == BGP_OPEN;
		f->up |= f->in[18] == BGP_KEEPALIVE;
		if (f->heard_ms > 0 && now - f->heard_ms > f->silence_ms)
			f->silence_ms = now - f->heard_ms;
		f->heard_ms = now;
		memmove(f->in, f->in + len, f->in_len -= len);
	}
}

static void send_small(struct feed *f, const uint8_t *p, size_t len)
{
	if (send(f->fd, p, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("cannot send");
}

static void keepalive(struct feed *f)
{
	uint8_t msg[BGP_HDR];

	send_small(f, msg, wire_keepalive_build(msg, sizeof(msg)));
	f->keepalive_ms = now_ms();
}

/* All of s, as the socket takes it. */
static void send_stream(struct feed *f, const struct stream *s)
{
	for (size_t at = 0; at < s->len;) {
		struct pollfd p = {.fd = f->fd, .events = POLLIN | POLLOUT};
		ssize_t n;

		if (poll(&p, 1, -1) < 0)
			die("poll");
		if (p.revents & POLLIN)
			listen_to(f);
		if (!(p.revents & POLLOUT))
			continue;
		n = send(f->fd, s->b + at, s->len - at < SEND_MAX ? s->len - at : SEND_MAX,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			die("cannot send");
		at += n > 0 ? (size_t)n : 0;
	}
	f->keepalive_ms = now_ms();
}

static void dial(struct feed *f)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(179)};

	memcpy(&from.sin_addr, f->local.b, 4);
	memcpy(&to.sin_addr, f->peer.b, 4);
	for (unsigned i = 0; i < CONNECT_TRIES; i++) {
		f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (f->fd >= 0 && bind(f->fd, (void *)&from, sizeof(from)) == 0 &&
		    connect(f->fd, (void *)&to, sizeof(to)) == 0)
			return;
		close(f->fd);
		(void)poll(NULL, 0, CONNECT_PAUSE_MS);
	}
	die("the peer does not answer");
}

static void open_session(struct feed *f)
{
	struct bgp_open o = {.version = BGP_VERSION,
			     .as = f->as,
			     .hold_s = f->hold_s,
			     .id = ip_v4_u32(&f->local),
			     .as4 = true,
			     .mp_v4 = true,
			     .refresh = true};
	uint8_t buf[BGP_MSG_MAX];
	size_t len = wire_open_build(buf, sizeof(buf), &o);

	if (len == 0)
		die("no OPEN");
	dial(f);
	send_small(f, buf, len);
	/* the peer's OPEN is taken as it is */
	for (bool told = false; !f->up;) {
		struct pollfd p = {.fd = f->fd, .events = POLLIN};

		if (poll(&p, 1, 20000) <= 0)
			die("the peer says nothing");
		listen_to(f);
		if (f->opened && !told)
			keepalive(f);
		told = f->opened;
	}
	f->silence_ms = 0;
}

/* --- commands --- */

static void command(struct feed *f, const char *line)
{
	const struct stream *s = strcmp(line, "announce\n") == 0 ? &f->announce : &f->withdraw;
	double begin = now_ms();

	if (strcmp(line, "quit\n") == 0) {
		printf("{\"silence_ms\": %.0f}\n", f->silence_ms);
		fflush(stdout);
		exit(0);
	}
	if (s == &f->withdraw && strcmp(line, "withdraw\n") != 0)
		die("commands: announce, withdraw, quit");
	send_stream(f, s);
	printf("{\"octets\": %zu, \"begin_ms\": %.1f, \"sent_ms\": %.1f}\n", s->len, begin, now_ms() - begin);
	fflush(stdout);
}

static void serve(struct feed *f)
{
	char line[64];

	for (;;) {
		struct pollfd p[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = f->fd, .events = POLLIN}};

		if (poll(p, 2, 200) < 0)
			die("poll");
		if (p[1].revents)
			listen_to(f);
		if (f->hold_s && now_ms() - f->keepalive_ms > f->hold_s * 1000 / 3)
			keepalive(f);
		if (p[0].revents) {
			if (!fgets(line, sizeof(line), stdin))
				exit(0);
			command(f, line);
		}
	}
}

static uint32_t number(const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (*end || v > UINT32_MAX)
		die("not a number");
	return (uint32_t)v;
}

int main(int argc, char **argv)
{
	static struct feed f = {.as = 65002, .peer_as = 65001, .per_set = 6, .hold_s = 90};
	static const struct option options[] = {
		{"local", 1, NULL, 'l'},   {"peer", 1, NULL, 'p'}, {"as", 1, NULL, 'a'},
		{"peer-as", 1, NULL, 'A'}, {"hold", 1, NULL, 'h'}, {"prefixes", 1, NULL, 'n'},
		{"per-set", 1, NULL, 's'}, {"mrt", 1, NULL, 'm'},  {NULL, 0, NULL, 0},
	};

	uint32_t n;

	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (o) {
		case 'l':
		case 'p':
			if (ip_parse(optarg, o == 'l' ? &f.local : &f.peer))
				die("not an address");
			break;
		case 'a':
			f.as = number(optarg);
			break;
		case 'A':
			f.peer_as = number(optarg);
			break;
		case 'h':
			f.hold_s = (uint16_t)number(optarg);
			break;
		case 'n':
			f.prefixes = number(optarg);
			break;
		case 's':
			f.per_set = number(optarg);
			break;
		case 'm':
			f.mrt = optarg;
			break;
		default:
			die("unknown option");
		}
	}
	if (!f.local.family || !f.peer.family || (!f.mrt && !f.prefixes) || f.per_set == 0 || f.per_set > 256 ||
	    f.prefixes > PREFIXES_MAX)
		die("--local, --peer and --prefixes or --mrt; at most 256 prefixes a set, 4194304 in all");
	prepare(&f);
	n = distinct(&f);
	open_session(&f);
	printf("{\"prefixes\": %u, \"sets\": %u, \"octets\": %zu, \"withdraw_octets\": %zu}\n", n, f.announce.sets,
	       f.announce.len, f.withdraw.len);
	fflush(stdout);
	serve(&f);
}
