/* esplanade-controlplane: arguments, start order, privileges. What runs then is gateway.c. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "controlplane/gateway.h"
#include "controlplane/privs.h"

#define DEFAULT_CONFIG  "/etc/esplanade/gateway.yaml"
#define DEFAULT_RUN_DIR "/run/esplanade"

struct args {
	const char *config, *run_dir, *user;
};

static void usage(FILE *to)
{
	fputs("esplanade-controlplane [OPTION...]: negotiates the gateway's tunnels (IKEv2) and speaks BGP.\n"
	      "  --config FILE     what to do (default " DEFAULT_CONFIG ")\n"
	      "  --run-dir DIR     where the sockets are (default " DEFAULT_RUN_DIR ")\n"
	      "  --user USER       whom to become (default esplanade, where that user exists)\n"
	      "  --log-level SPEC  error, warn, info or debug; or per component: ike=debug,ring=warn\n"
	      "  --version, --help\n"
	      "SIGHUP reads the file again; SIGTERM says Cease and Delete to the peers and ends.\n",
	      to);
}

static void parse_args(int argc, char **argv, struct args *a)
{
	static const struct option opts[] = {{"config", required_argument, NULL, 'c'},
					     {"run-dir", required_argument, NULL, 'r'},
					     {"user", required_argument, NULL, 'u'},
					     {"log-level", required_argument, NULL, 'l'},
					     {"version", no_argument, NULL, 'V'},
					     {"help", no_argument, NULL, 'h'},
					     {NULL, 0, NULL, 0}};
	int c;

	*a = (struct args){.config = DEFAULT_CONFIG, .run_dir = DEFAULT_RUN_DIR};
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'r':
			a->run_dir = optarg;
			break;
		case 'u':
			a->user = optarg;
			break;
		case 'l':
			if (log_set(optarg))
				log_fatal(LOG_MAIN,
					  "option=--log-level value=%s remedy=\"write error, warn, info or debug, or "
					  "COMPONENT=LEVEL,...\"",
					  optarg);
			break;
		case 'V':
			puts("esplanade-controlplane " ESPLANADE_VERSION);
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
}

static struct config *load(const char *path)
{
	struct cfg_errors errs = {0};
	struct config *c = config_load(path, true, &errs);
	int rc = c ? ike_config_check(c, time(NULL), &errs) : -EINVAL;

	/* a certificate that ran out overnight must not keep the other tunnels down */
	for (unsigned i = 0; rc == -EKEYEXPIRED && i < errs.n; i++)
		log_warn(LOG_CONFIG, "event=expired file=%s line=%u cause=\"%s\"", path, errs.e[i].line,
			 errs.e[i].text);
	if (rc && rc != -EKEYEXPIRED) {
		cfg_errors_print(&errs, path, STDERR_FILENO);
		log_fatal(LOG_CONFIG,
			  "file=%s errors=%u remedy=\"correct the lines above; gwctl config check tells the same "
			  "without a start\"",
			  path, errs.n);
	}
	cfg_errors_free(&errs);
	return c;
}

/* The run dir, made where it is missing, and the management socket in it. */
static int open_control(const char *run_dir, const char *path, const struct privs_user *u)
{
	int fd, rc;

	if (!mkdir(run_dir, 0755))
		rc = chmod(run_dir, 0755) ? errno : 0; /* whatever the umask: both processes' users pass through */
	else
		rc = errno == EEXIST ? 0 : errno;
	if (rc)
		log_fatal(LOG_MAIN, "run_dir=%s cause=\"%s\" remedy=\"make it, or give --run-dir\"", run_dir,
			  err_str(rc));
	fd = status_listen(path, u ? u->uid : (uint32_t)-1, u ? u->gid : (uint32_t)-1);
	if (fd == -EADDRINUSE)
		log_fatal(LOG_MAIN,
			  "socket=%s cause=\"a control plane already listens there\" remedy=\"stop it, or give "
			  "another --run-dir\"",
			  path);
	if (fd < 0)
		log_fatal(LOG_MAIN, "socket=%s cause=\"%s\"", path, err_str(fd));
	return fd;
}

/* Whom to become, or NULL; said in one line. */
static const struct privs_user *choose_user(const char *name, struct privs_user *u)
{
	int rc = privs_find(name, u);

	if (rc < 0)
		log_fatal(LOG_MAIN,
			  "user=%s cause=\"no such user\" remedy=\"create it (useradd --system %s), or name another "
			  "with --user\"",
			  name, name);
	return rc ? u : NULL;
}

static void drop(const struct privs_user *u)
{
	int rc = privs_drop(u);

	if (rc)
		log_fatal(LOG_MAIN, "user=%s cause=\"cannot become it: %s\" remedy=\"start as root, or as that user\"",
			  u ? u->name : "-", err_str(rc));
	if (u)
		log_info(LOG_MAIN, "event=user-changed user=%s capabilities=net_bind_service", u->name);
	else
		log_info(
			LOG_MAIN,
			"event=user-kept uid=%d capabilities=net_bind_service cause=\"no user esplanade on this host\"",
			(int)geteuid());
}

#ifdef ESPLANADE_KEYLOG
/* Test builds only: controlplane/ike/keylog.h. */
static void keylog(const char *line)
{
	const char *path = getenv("ESPLANADE_KEYLOG");
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (fd >= 0 && dprintf(fd, "%s\n", line) < 0)
		log_err(LOG_MAIN, "event=keylog cause=\"%s\"", err_str(errno));
	if (fd >= 0)
		close(fd);
}
#endif

int main(int argc, char **argv)
{
	static struct gateway gateway;
	const struct privs_user *user;
	struct gateway_params p = {.signals = true};
	struct privs_user found;
	char control[512], dp[512];
	struct args a;
	int rc;

	parse_args(argc, argv, &a);
	privs_harden();
	umask(077);
	snprintf(control, sizeof(control), "%s/control.sock", a.run_dir);
	snprintf(dp, sizeof(dp), "%s/dataplane.sock", a.run_dir);
	user = choose_user(a.user, &found);
	p.config_path = a.config;
	p.dp_sock = dp;
	p.config = load(a.config);
	p.status_fd = open_control(a.run_dir, control, user);
	drop(user);
	rc = gateway_init(&gateway, &p);
	if (rc)
		log_fatal(LOG_MAIN, "cause=\"cannot start: %s\"", err_str(rc));
#ifdef ESPLANADE_KEYLOG
	log_warn(LOG_MAIN, "event=keylog cause=\"this build writes its keys to a file when it is told to: for tests, "
			   "never for use\"");
	ike_keylog = keylog;
#endif
	log_info(LOG_MAIN, "event=started version=%s pid=%d file=%s tunnels=%u run_dir=%s", ESPLANADE_VERSION,
		 (int)getpid(), a.config, gateway.config->n_tunnels, a.run_dir);
	gateway_run(&gateway);
	gateway_fini(&gateway);
	/* may be refused after the change of user; the next start removes it then */
	if (unlink(control) && errno != ENOENT)
		log_debug(LOG_MAIN, "socket=%s cause=\"stays: %s\"", control, err_str(errno));
	return 0;
}
