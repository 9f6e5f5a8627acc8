package io.pipeops.hub.store;

import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.UUID;

/** Values between Java and the columns of both databases. */
final class Columns {
  private Columns() {}

  /** A UUID in its one canonical form; empty for any other text. */
  static Optional<UUID> uuid(String text) {
    if (text == null || text.length() != 36) {
      return Optional.empty();
    }
    try {
      UUID uuid = UUID.fromString(text);
      return uuid.toString().equals(text) ? Optional.of(uuid) : Optional.empty();
    } catch (IllegalArgumentException e) {
      return Optional.empty();
    }
  }

  /** As exact as both databases are, so that what is returned equals what is read back. */
  static Instant now() {
    return Instant.now().truncatedTo(ChronoUnit.MICROS);
  }

  static void set(PreparedStatement statement, int index, Instant time) throws SQLException {
    if (time == null) {
      statement.setNull(index, Types.TIMESTAMP_WITH_TIMEZONE);
    } else {
      statement.setObject(index, OffsetDateTime.ofInstant(time, ZoneOffset.UTC));
    }
  }

  static Instant time(ResultSet row, String column) throws SQLException {
    return row.getObject(column, OffsetDateTime.class).toInstant();
  }

  static Optional<Instant> optionalTime(ResultSet row, String column) throws SQLException {
    return Optional.ofNullable(row.getObject(column, OffsetDateTime.class))
        .map(OffsetDateTime::toInstant);
  }

  /**
   * Text of a peer as both databases take it: no control characters (PostgreSQL refuses NUL), no
   * half surrogate pairs, not longer than the column.
   */
  static String clean(String text, int max) {
    if (text == null) {
      return "";
    }
    StringBuilder clean = new StringBuilder(Math.min(text.length(), max));
    for (int i = 0; i < text.length(); ) {
      int point = text.codePointAt(i);
      i += Character.charCount(point);
      int kept = point;
      if (Character.isISOControl(point)) {
        kept = ' ';
      } else if (point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE) {
        kept = '?';
      }
      if (clean.length() + Character.charCount(kept) > max) {
        break;
      }
      clean.appendCodePoint(kept);
    }
    return clean.toString().strip();
  }
}
