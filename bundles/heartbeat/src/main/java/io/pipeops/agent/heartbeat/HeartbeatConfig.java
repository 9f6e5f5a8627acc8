package io.pipeops.agent.heartbeat;

import org.osgi.service.metatype.annotations.AttributeDefinition;
import org.osgi.service.metatype.annotations.ObjectClassDefinition;

/** Settings of the heartbeat. */
@ObjectClassDefinition(name = "Heartbeat", description = "How often the agent reports, and what")
public @interface HeartbeatConfig {
  @AttributeDefinition(
      min = "5",
      max = "3600",
      description = "Seconds between heartbeats while connected or connecting")
  int connected_seconds() default 30;

  @AttributeDefinition(
      min = "5",
      max = "3600",
      description = "Seconds between heartbeats while reconnecting")
  int reconnecting_seconds() default 60;

  @AttributeDefinition(
      min = "5",
      max = "3600",
      description = "Seconds between heartbeats while disconnected")
  int disconnected_seconds() default 15;

  @AttributeDefinition(
      min = "1",
      max = "100",
      description = "How often a heartbeat is tried before it counts as failed")
  int retry_attempts() default 10;

  @AttributeDefinition(
      min = "1",
      max = "30",
      description = "Seconds before the second try; doubles with each further one, up to 30")
  int retry_seconds() default 5;

  @AttributeDefinition(
      min = "30",
      max = "86400",
      description =
          "Seconds between two looks at the cluster's size and load; each takes three requests to"
              + " the API server")
  int refresh_seconds() default 150;
}
