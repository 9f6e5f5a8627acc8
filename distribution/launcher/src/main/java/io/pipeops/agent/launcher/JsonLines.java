package io.pipeops.agent.launcher;

import ch.qos.logback.classic.pattern.ThrowableProxyConverter;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.LayoutBase;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Locale;

/**
 * One JSON object a line, with the keys {@code time}, {@code level}, {@code msg}, {@code logger}
 * and, where there is an exception, {@code error}. Line breaks cannot be forged: JSON escapes them.
 */
final class JsonLines extends LayoutBase<ILoggingEvent> {
  private final JsonFactory json = new JsonFactory();
  private final ThrowableProxyConverter throwables = new ThrowableProxyConverter();

  @Override
  public void start() {
    throwables.start();
    super.start();
  }

  @Override
  public String doLayout(ILoggingEvent event) {
    StringWriter line = new StringWriter(256);
    try (JsonGenerator out = json.createGenerator(line)) {
      out.writeStartObject();
      out.writeStringField("time", event.getInstant().toString());
      out.writeStringField("level", event.getLevel().toString().toLowerCase(Locale.ROOT));
      out.writeStringField("msg", event.getFormattedMessage());
      out.writeStringField("logger", event.getLoggerName());
      if (event.getThrowableProxy() != null) {
        out.writeStringField("error", throwables.convert(event));
      }
      out.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return line.append('\n').toString();
  }
}
