
/*
 * Runs a fuzzer over its corpus without libFuzzer: one TAP line per file,
 * each first whole, then cut at every octet, so that a parser meets the end
 * of its input everywhere.  The input is an allocation of its own, for a
 * sanitizer to see the first octet read behind it.
 */

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#ifndef PKI_CORPUS
#define PKI_CORPUS  "."
#endif

/* beyond that many octets the cuts are spread over the whole */
#define REPLAY_CUTS  256


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static int   replay_names(const char *dir, char ***names);
static int   replay_file(const char *path);
static int   replay_once(const uint8_t *data, size_t size);
static int   replay_compare(const void *one, const void *two);


int
main(int argc, char **argv)
{
    int          i, n, failed;
    char       **names, path[PATH_MAX];
    const char  *dir;

    dir = argc > 1 ? argv[1] : PKI_CORPUS;
    failed = 0;

    n = replay_names(dir, &names);
    if (n <= 0) {
        printf("Bail out! no corpus in %s\n", dir);
        return 1;
    }

    for (i = 0; i < n; i++) {
        (void) snprintf(path, sizeof(path), "%s/%s", dir, names[i]);

        if (replay_file(path) == 0) {
            printf("ok %d - %s\n", i + 1, names[i]);

        } else {
            printf("not ok %d - %s\n", i + 1, names[i]);
            failed = 1;
        }

        fflush(stdout);
        free(names[i]);
    }

    free(names);
    printf("1..%d\n", n);

    return failed;
}


static int
replay_names(const char *dir, char ***names)
{
    int             n;
    DIR            *d;
    char          **list, **grown;
    struct dirent  *entry;

    n = 0;
    list = NULL;

    d = opendir(dir);
    if (d == NULL) {
        return -1;
    }

    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }

        grown = realloc(list, (n + 1) * sizeof(char *));
        if (grown == NULL) {
            break;
        }

        list = grown;

        list[n] = strdup(entry->d_name);
        if (list[n] == NULL) {
            break;
        }

        n++;
    }

    closedir(d);

    if (n) {
        qsort(list, n, sizeof(char *), replay_compare);
    }

    *names = list;

    return n;
}


static int
replay_file(const char *path)
{
    int      rc;
    FILE    *f;
    size_t   i, n, step;
    uint8_t *data;

    f = fopen(path, "rb");
    if (f == NULL) {
        return -1;
    }

    rc = -1;
    data = NULL;

    if (fseek(f, 0, SEEK_END) != 0) {
        goto done;
    }

    n = (size_t) ftell(f);
    rewind(f);

    data = malloc(n + 1);
    if (data == NULL || fread(data, 1, n, f) != n) {
        goto done;
    }

    rc = replay_once(data, n);
    step = n / REPLAY_CUTS + 1;

    for (i = 0; i < n && rc == 0; i += step) {
        rc = replay_once(data, i);
    }

done:

    free(data);
    fclose(f);

    return rc;
}


static int
replay_once(const uint8_t *data, size_t size)
{
    int       rc;
    uint8_t  *copy;

    copy = malloc(size ? size : 1);
    if (copy == NULL) {
        return -1;
    }

    memcpy(copy, data, size);
    rc = LLVMFuzzerTestOneInput(copy, size);
    free(copy);

    return rc;
}


static int
replay_compare(const void *one, const void *two)
{
    return strcmp(*(char *const *) one, *(char *const *) two);
}
