// Reads an iCalendar file from its input with ical.js, whose path it is given, and prints what is in it as JSON.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { default: ICAL } = await import(pathToFileURL(process.argv[2]));
const calendar = new ICAL.Component(ICAL.parse(readFileSync(0, "utf8")));
for (const zone of calendar.getAllSubcomponents("vtimezone")) ICAL.TimezoneService.register(zone);

const text = (component, name) => {
  const value = component.getFirstPropertyValue(name);
  return value === null ? null : String(value);
};
const events = calendar.getAllSubcomponents("vevent").map((component) => {
  const event = new ICAL.Event(component);
  return {
    uid: event.uid,
    summary: event.summary,
    starts_at: event.startDate.toJSDate().toISOString(),
    ends_at: event.endDate.toJSDate().toISOString(),
    stamped_at: component.getFirstPropertyValue("dtstamp").toJSDate().toISOString(),
    sequence: event.sequence ?? 0,
    status: text(component, "status"),
    organizer: text(component, "organizer"),
    attendees: event.attendees.map((each) => each.getFirstValue()),
    people: text(component, "x-tocsin-on-call"),
  };
});
process.stdout.write(JSON.stringify({ method: text(calendar, "method"), version: text(calendar, "version"), events }));
