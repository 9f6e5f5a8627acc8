package io.pipeops.agent.protocol;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What our agent and our hub can do beyond the protocol. The hub names what it knows in {@code
 * gateway_hello}; the agent names in its answer what of that it knows, too. Others ignore the
 * field, and get and send nothing of it.
 */
public final class Extensions {
  /** Streams of HTTP to the API server: {@code StreamHeader.API}. */
  public static final String API_STREAM = "api-stream";

  /** UDP streams that keep the bounds of datagrams: {@code StreamHeader.DATAGRAMS}. */
  public static final String DATAGRAMS = "udp-datagrams";

  /** Comparison of the live streams now and then: {@link StreamIds}. */
  public static final String STREAM_IDS = "stream-ids";

  /** A lost connection is taken up again where it was cut: {@link ResumeOffer}. */
  public static final String RESUME = "resume";

  private static final String FIELD = "extensions";
  private static final int MOST = 32;

  private Extensions() {}

  /** Those that are named among further fields of a message; unknown ones, too, but not many. */
  public static Set<String> read(Map<String, Object> extra) {
    Set<String> names = new LinkedHashSet<>();
    if (extra.get(FIELD) instanceof List<?> list) {
      for (Object name : list) {
        if (name instanceof String text && names.size() < MOST) {
          names.add(text);
        }
      }
    }
    return names;
  }

  /** Further fields of a message that name these; none if there are none. */
  public static Map<String, Object> fields(Set<String> names) {
    return names.isEmpty() ? Map.of() : Map.of(FIELD, List.copyOf(names));
  }
}
