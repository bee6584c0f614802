/* SPDX-License-Identifier: Apache-2.0 */
/* privileges - root no longer than needed. */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

bool
privileges_find(struct privileges *p, const char *user, const char *group,
    const char **missing)
{
	const struct passwd *pw = NULL;
	const struct group *gr;

	*p = (struct privileges){ .user = user,
		.uid = getuid(),
		.gid = getgid() };
	if (*user != '\0') {
		pw = getpwnam(user);
		*missing = "user";
		if (pw == NULL)
			return false;
		p->uid = pw->pw_uid;
		p->gid = pw->pw_gid;
	}
	if (*group != '\0') {
		gr = getgrnam(group);
		*missing = "group";
		if (gr == NULL)
			return false;
		p->gid = gr->gr_gid;
	}
	p->is_root = geteuid() == 0 && *user != '\0' && p->uid != 0;
	return true;
}

int
privileges_borrow(const struct privileges *p, const char *directory)
{
	if (!p->is_root)
		return 0;
	/* One that is there is whose it is. */
	if (directory != NULL && mkdir(directory, 0700) == 0 &&
	    chown(directory, p->uid, p->gid) != 0)
		return -errno;
	if (initgroups(p->user, p->gid) != 0 || setegid(p->gid) != 0 ||
	    seteuid(p->uid) != 0)
		return -errno;
	return 0;
}

int
privileges_give_back(const struct privileges *p)
{
	if (!p->is_root)
		return 0;
	return seteuid(0) == 0 && setegid(0) == 0 ? 0 : -errno;
}

/* What must fail is tried. */
static bool
is_root_gone(const struct privileges *p)
{
	uid_t u[3];
	gid_t g[3];

	return setuid(0) != 0 && seteuid(0) != 0 &&
	    getresuid(&u[0], &u[1], &u[2]) == 0 &&
	    getresgid(&g[0], &g[1], &g[2]) == 0 && u[0] == p->uid &&
	    u[1] == p->uid && u[2] == p->uid && g[0] == p->gid &&
	    g[1] == p->gid && g[2] == p->gid;
}

int
privileges_drop(const struct privileges *p)
{
	if (!p->is_root) {
		if (*p->user != '\0' && p->uid != geteuid())
			log_warning("not started by root: [server] user = %s "
				    "has no effect",
			    p->user);
		else if (geteuid() == 0 && *p->user == '\0')
			log_notice("running as root; [server] user names "
				   "whom to become");
		return 0;
	}
	if (log_give(p->uid, p->gid) != 0)
		log_warning("the log file stays root's: it cannot be opened "
			    "again after rotation");
	if (initgroups(p->user, p->gid) != 0 ||
	    setresgid(p->gid, p->gid, p->gid) != 0 ||
	    setresuid(p->uid, p->uid, p->uid) != 0)
		return -errno;
	if (!is_root_gone(p))
		return -EPERM;
	log_notice("now user %s (%ld), group %ld", p->user, (long)p->uid,
	    (long)p->gid);
	return 0;
}
