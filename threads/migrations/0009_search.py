"""Full-text search over settled messages: a table of SQLite's FTS5 beside them, or on PostgreSQL a column of theirs.

What follows the messages from now on are triggers: on PostgreSQL they are made here, on SQLite by
``threads.search_index`` after each migration, because Django's way of changing a table there drops them.
"""

from django.db import migrations

UNSETTLED = "('queued', 'streaming')"
LONGEST = 100_000
"""Characters: a tsvector holds at most a megabyte."""
ANY_SCRIPT = ("und-x-icu", "pg_c_utf8", "C.utf8", "en_US.utf8")
"""Collations that know the small letters of all scripts; the database's own may be C, which knows those of English."""

SQLITE = f"""
CREATE VIRTUAL TABLE message_words USING fts5(
    content, content='thread_messages', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);
INSERT INTO message_words (rowid, content) SELECT id, content FROM thread_messages WHERE status NOT IN {UNSETTLED};
"""
SQLITE_TRIGGERS = ("message_words_added", "message_words_changing", "message_words_changed", "message_words_removed")

# Marks go, punctuation parts words (whatever the database's locale calls a letter), and all is in small letters. The
# owner is a word that no text can hold, so that others' messages are out of the way before anything is ranked.
POSTGRES_FUNCTIONS = """
CREATE FUNCTION message_words(thread bigint, content text) RETURNS tsvector LANGUAGE sql STABLE AS $$
    SELECT array_to_tsvector(ARRAY['owner ' || (SELECT owner_id FROM agent_threads WHERE id = thread)]) ||
        to_tsvector('simple', lower(regexp_replace(
            normalize(regexp_replace(normalize(left(content, LONGEST), NFD), '[\\u0300-\\u036f]', '', 'g'), NFC),
            '[\\u0001-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u00a9\\u00ab-\\u00b4\\u00b6-\\u00b9\\u00bb-\\u00bf\\u2000-\\u206f\\u2190-\\u2bff\\u3000-\\u303f]+',
            ' ', 'g') COLLATION))
$$;
CREATE FUNCTION set_message_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.words := message_words(NEW.thread_id, NEW.content);
    RETURN NEW;
END $$;
"""
POSTGRES = f"""
SET LOCAL statement_timeout = 0;
ALTER TABLE thread_messages ADD COLUMN words tsvector;
UPDATE thread_messages SET words = message_words(thread_id, content) WHERE status NOT IN {UNSETTLED};
CREATE INDEX messages_by_words ON thread_messages USING gin (words);
CREATE TRIGGER message_words BEFORE INSERT OR UPDATE OF content, status ON thread_messages
    FOR EACH ROW WHEN (NEW.status NOT IN {UNSETTLED}) EXECUTE FUNCTION set_message_words();
"""
POSTGRES_BACK = """
DROP TRIGGER message_words ON thread_messages;
ALTER TABLE thread_messages DROP COLUMN words;
DROP FUNCTION set_message_words();
DROP FUNCTION message_words(bigint, text);
"""


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        _run(schema_editor, SQLITE)
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT collname FROM pg_collation WHERE collname = ANY(%s)", [list(ANY_SCRIPT)])
        known = {name for (name,) in cursor.fetchall()}
        best = next((f'COLLATE "{name}"' for name in ANY_SCRIPT if name in known), "")
        cursor.execute(POSTGRES_FUNCTIONS.replace("LONGEST", str(LONGEST)).replace("COLLATION", best))
    _run(schema_editor, POSTGRES)


def unmake(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        gone = "".join(f"DROP TRIGGER IF EXISTS {name};\n" for name in SQLITE_TRIGGERS)
        _run(schema_editor, f"{gone}DROP TABLE message_words;\n")
    else:
        _run(schema_editor, POSTGRES_BACK)


def _run(schema_editor, statements):
    with schema_editor.connection.cursor() as cursor:
        for statement in statements.split(";\n"):
            if statement.strip():
                cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [("threads", "0008_draft")]

    operations = [migrations.RunPython(make, unmake)]
