"""The admin site itself: its name, and the way back to the pages."""

from django.contrib import admin

admin.site.site_header = "Crypto OMS · Admin"
admin.site.site_title = "Crypto OMS"
admin.site.index_title = "What would you like to look after?"
admin.site.site_url = "/"
