/* Columns that line up: rows are gathered, then printed with each column as wide as its widest cell. */
#ifndef SANDPLANE_CLI_TEXT_TABLE_H_
#define SANDPLANE_CLI_TEXT_TABLE_H_

#include <stddef.h>
#include <stdint.h>

typedef struct Table Table;

/* heads: NULL-terminated, at most TABLE_COLUMNS. */
enum { TABLE_COLUMNS = 8 };
Table *table_new(const char *const *heads);
/* cells: as many as heads; copied. */
void table_row(Table *table, const char *const *cells);
/* Prints and frees. */
void table_print(Table *table);
/* Frees only; NULL-safe. */
void table_free(Table *table);
/* Names of files and messages come out of sandboxes: control characters, which a terminal would obey, and those that
 * turn the direction of writing become question marks. */
void table_printable(char *text);

/* "12s", "5m", "3h", "2d"; "-" for less than 0. out holds 16 bytes. */
void table_age(int64_t ms, char out[16]);
/* "512 B", "1.4 MiB". out holds 16 bytes. */
void table_size(int64_t bytes, char out[16]);

#endif
