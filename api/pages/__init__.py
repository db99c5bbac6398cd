"""The pages that people read: German, rendered on the server, complete without JavaScript.

One module for each page, its words in words.py and vocabulary.py, its look in api/static/site.css.
"""
