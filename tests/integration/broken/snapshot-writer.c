/* Writes where it may only read: by a statement, and by a query that returns rows. */
#include "broken.h"

static gantry_status handle(void* user, const gantry_request* request, gantry_context* context) {
  broken* self = (broken*)user;
  gantry_db* db = NULL;
  gantry_cursor* rows = NULL;
  gantry_status status = self->store->snapshot(context, &db);
  if (status != GANTRY_OK) return status;
  if (request->query_count == 0) {
    status = self->store->exec(db, broken_text("INSERT INTO things VALUES ('a')"), NULL, 0, NULL);
    return status == GANTRY_OK ? broken_say(self, context, broken_text("written on a snapshot")) : status;
  }
  if (request->query[0].name.len == 1) {
    status = self->store->query(db, broken_text("INSERT INTO things VALUES ('b') RETURNING id"), NULL, 0, &rows);
    if (status == GANTRY_OK) {
      status = self->store->next(rows);
      self->store->close(rows);
    }
    return status == GANTRY_OK ? broken_say(self, context, broken_text("written on a snapshot")) : status;
  }
  status = self->store->query(db, broken_text("SELECT count(*) FROM things"), NULL, 0, &rows);
  if (status != GANTRY_OK) return status;
  gantry_value count;
  memset(&count, 0, sizeof count);
  status = self->store->next(rows);
  if (status == GANTRY_OK) status = self->store->column(rows, 0, &count);
  self->store->close(rows);
  if (status != GANTRY_OK) return status;
  return broken_say(self, context, broken_text(count.as.i == 0 ? "nothing is written" : "something was written"));
}

#define BROKEN_HANDLER handle
#define BROKEN_SETUP                                            \
  return broken_migrate(self, "CREATE TABLE things (id TEXT PRIMARY KEY)", \
                        "4035eab9feb9209e40b56203fe57ae36df71b784cc9300c87fddfee88d61a202");
#define BROKEN_PLUGIN
#include "broken.h"
