"""The region's own API (Makerspace Partheland, "Sensordaten API" 1.0.4): GeoJSON and NGSI-LD.

Same paths, parameters, refusals, names and unit codes as the API that runs in the region today, so that its readers
read us unchanged; our kinds are further types of the same form. Where that API says nothing we decided:

- A parameter that it does not know is ignored (its description has no refusal for one; readers add some to get past
  caches). One that it knows and that is given twice is refused.
- An answer that would be empty is 404 NOT_FOUND, also on a platform without devices.
- A device without coordinates is not in GeoJSON: the region's schema has no null geometry and RFC 7946 none that is
  missing. In NGSI-LD it stands without `location`.
- Planned and retired devices are not there. An SOS button shows where it is and whether it is online, also to who has
  a key: no values and no time of its last contact, because that would tell when it was pressed.
- A bay that is silent, or that the page for drivers counts as unknown, says nothing of `occupied`.
- An aggregation counts what is online, has coordinates and measures the region's own values (type words sensebox,
  waterlevel, temperature, moisture, other); the inside of our lamps and bays is not the air of a town.
"""
