/* The XDP program, loaded as DPDK's driver does it and run on frames (BPF_PROG_TEST_RUN): which are the kernel's. What would go to a
 * socket is dropped here, for there is none. Needs CAP_BPF and CAP_NET_ADMIN. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "dataplane/xdp/steer.h"

enum { OURS = XDP_DROP, KERNELS = XDP_PASS };

static struct bpf_object *obj;

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level, (void)fmt, (void)ap;
	return 0;
}

/* 0, or -errno of the kernel's refusal. */
static int load(const struct steer_conf *c)
{
	int fd = steer_file(c), ret;
	char path[32];

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bpf_object__close(obj);
	obj = bpf_object__open_file(path, NULL);
	assert_non_null(obj);
	ret = bpf_object__load(obj);
	close(fd);
	return ret;
}

static int verdict(const uint8_t *frame, uint32_t len)
{
	struct bpf_program *p = bpf_object__find_program_by_name(obj, STEER_PROGRAM);
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = len, .repeat = 1);

	assert_non_null(p);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(p), &o), 0);
	return (int)o.retval;
}

struct row {
	const char *what;
	uint16_t type; /* Ethernet's */
	uint8_t b[64]; /* behind it */
	int managed;   /* with management: tcp/22, udp/161 */
	unsigned cut;  /* octets that are missing at the end */
};

#define IP4(proto, frag) 0x45, 0, 0, 40, 0, 0, (frag) >> 8, (frag)&255, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2
#define IP6(next)                                                                                                     \
	0x60, 0, 0, 0, 0, 20, next, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
		0, 0, 0, 0, 0, 2
#define PORTS(dst) 4, 0, (dst) >> 8, (dst)&255

static const struct row rows[] = {
	{"TCP to a managed port", 0x0800, {IP4(6, 0), PORTS(22)}, KERNELS, 0},
	{"with DF", 0x0800, {IP4(6, 0x4000), PORTS(22)}, KERNELS, 0},
	{"UDP to a managed port", 0x0800, {IP4(17, 0), PORTS(161)}, KERNELS, 0},
	{"TCP to the UDP port", 0x0800, {IP4(6, 0), PORTS(161)}, OURS, 0},
	{"UDP to the TCP port", 0x0800, {IP4(17, 0), PORTS(22)}, OURS, 0},
	{"TCP to another port", 0x0800, {IP4(6, 0), PORTS(23)}, OURS, 0},
	{"TCP from the managed port", 0x0800, {IP4(6, 0), 0, 22, 4, 0}, OURS, 0},
	{"the first fragment", 0x0800, {IP4(6, 0x2000), PORTS(22)}, OURS, 0},
	{"a later fragment", 0x0800, {IP4(6, 1), PORTS(22)}, OURS, 0},
	{"IP options", 0x0800, {0x46, 0, 0, 44, 0, 0, 0, 0, 64, 6}, OURS, 0},
	{"IKE", 0x0800, {IP4(17, 0), PORTS(500)}, OURS, 0},
	{"ESP in UDP", 0x0800, {IP4(17, 0), PORTS(4500)}, OURS, 0},
	{"ESP", 0x0800, {IP4(50, 0), 0, 0, 0, 22}, OURS, 0},
	{"an echo", 0x0800, {IP4(1, 0), 8, 0}, OURS, 0},
	{"ARP", 0x0806, {0, 1}, KERNELS, 0},
	{"VLAN", 0x8100, {0, 1}, OURS, 0},
	{"TCP over IPv6", 0x86dd, {IP6(6), PORTS(22)}, KERNELS, 0},
	{"TCP over IPv6 to another port", 0x86dd, {IP6(6), PORTS(179)}, OURS, 0},
	{"neighbour solicitation", 0x86dd, {IP6(58), 135, 0}, KERNELS, 0},
	{"router solicitation", 0x86dd, {IP6(58), 133, 0}, KERNELS, 0},
	{"redirect", 0x86dd, {IP6(58), 137, 0}, KERNELS, 0},
	{"echo over IPv6", 0x86dd, {IP6(58), 128, 0}, OURS, 0},
	{"packet too big", 0x86dd, {IP6(58), 2, 0}, OURS, 0},
	{"a late type", 0x86dd, {IP6(58), 138, 0}, OURS, 0},
	{"ESP over IPv6", 0x86dd, {IP6(50), 0, 0, 0, 22}, OURS, 0},
	{"cut before the ports' end", 0x0800, {IP4(6, 0), PORTS(22)}, OURS, 64 - 23},
	{"cut in the IP header", 0x0800, {IP4(6, 0), PORTS(22)}, OURS, 64 - 10},
	{"cut before the ICMPv6 type", 0x86dd, {IP6(58), 135}, OURS, 64 - 40},
};

static int run_row(const struct row *r)
{
	uint8_t frame[14 + 64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (uint8_t)(r->type >> 8), (uint8_t)r->type};

	memcpy(frame + 14, r->b, sizeof(r->b));
	return verdict(frame, sizeof(frame) - r->cut);
}

static void with_management_the_kernel_gets_what_is_named(void **state)
{
	struct steer_conf c = {.n_mgmt = 2, .mgmt = {{.protocol = 6, .port = 22}, {.protocol = 17, .port = 161}}};

	(void)state;
	if (load(&c) == -EPERM)
		skip();
	for (unsigned i = 0; i < N_ELEMS(rows); i++)
		if (run_row(&rows[i]) != rows[i].managed)
			fail_msg("%s: %d", rows[i].what, run_row(&rows[i]));
}

static void without_it_nothing_is_the_kernels(void **state)
{
	struct steer_conf c = {.n_mgmt = 0};

	(void)state;
	if (load(&c) == -EPERM)
		skip();
	for (unsigned i = 0; i < N_ELEMS(rows); i++)
		if (run_row(&rows[i]) != OURS)
			fail_msg("%s: %d", rows[i].what, run_row(&rows[i]));
}

static void every_place_of_the_list_counts(void **state)
{
	struct steer_conf c = {.n_mgmt = STEER_MGMT_MAX};
	struct row r = rows[0];

	(void)state;
	for (unsigned i = 0; i < STEER_MGMT_MAX; i++)
		c.mgmt[i] = (struct steer_mgmt){.protocol = 6, .port = (uint16_t)(1000 + i)};
	if (load(&c) == -EPERM)
		skip();
	for (uint16_t port = 999; port <= 1000 + STEER_MGMT_MAX; port++) {
		r.b[22] = (uint8_t)(port >> 8);
		r.b[23] = (uint8_t)port;
		assert_int_equal(run_row(&r), port >= 1000 && port < 1000 + STEER_MGMT_MAX ? KERNELS : OURS);
	}
}

/* What the driver and our next start look for. */
static void it_has_the_names_that_others_know_it_by(void **state)
{
	struct steer_conf c = {.n_mgmt = 0};
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	(void)state;
	if (load(&c) == -EPERM)
		skip();
	assert_non_null(bpf_object__find_map_by_name(obj, "xsks_map"));
	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(bpf_object__find_program_by_name(obj, STEER_PROGRAM)),
						&info, &len),
			 0);
	assert_string_equal(info.name, STEER_PROGRAM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_management_the_kernel_gets_what_is_named),
		cmocka_unit_test(without_it_nothing_is_the_kernels),
		cmocka_unit_test(every_place_of_the_list_counts),
		cmocka_unit_test(it_has_the_names_that_others_know_it_by),
	};
	int ret;

	libbpf_set_print(quiet);
	ret = cmocka_run_group_tests_name("steer", tests, NULL, NULL);
	bpf_object__close(obj);
	return ret;
}
