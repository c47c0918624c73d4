// SPDX-License-Identifier: GPL-2.0
/*
 * signal_after SIGNAL MICROSECONDS FILE [LINE]: a child writes the line to the file, or reads
 * the file if there is no line, and gets the signal that long after its start. It catches all
 * signals but SIGKILL. Prints OK, the name of the errno or "killed", and the microseconds
 * that the child took.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[65536];

static void ignore(int number)
{
	(void)number;
}

/* Exits with the errno. */
static void child(const char *file, const char *line, int ready)
{
	struct sigaction action = { .sa_handler = ignore };	/* not restarted */
	int fd = open(file, line ? O_WRONLY : O_RDONLY);
	ssize_t nr;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (fd < 0 || write(ready, "", 1) != 1)
		_exit(errno);
	do {
		nr = line ? write(fd, line, strlen(line)) : read(fd, buffer, sizeof(buffer));
	} while (!line && nr > 0);
	_exit(nr < 0 ? errno : 0);
}

static long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const char *verdict(int status)
{
	if (WIFSIGNALED(status))
		return "killed";
	return WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "OK";
}

int main(int argc, char **argv)
{
	int status, ready[2];
	char byte;
	long begun;
	pid_t pid;

	if (argc < 4 || pipe(ready)) {
		fputs("usage: signal_after SIGNAL MICROSECONDS FILE [LINE]\n", stderr);
		return 2;
	}
	pid = fork();
	if (!pid)
		child(argv[3], argv[4], ready[1]);
	close(ready[1]);
	if (pid < 0 || read(ready[0], &byte, 1) != 1) {
		fprintf(stderr, "%s cannot be opened\n", argv[3]);
		return 2;
	}
	begun = microseconds();
	usleep(atoi(argv[2]));
	kill(pid, atoi(argv[1]));
	waitpid(pid, &status, 0);
	printf("%s %ld\n", verdict(status), microseconds() - begun);
	return 0;
}
